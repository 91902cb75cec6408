package setup

import (
	"slices"
	"strings"

	"bitgate/internal/pattern"
	"bitgate/templates"
)

// Proxies are the variables by which programs find the way out of a network. They hold
// no secret.
type Proxies struct {
	Set      []string // NAME=value
	Withheld []string // names of those whose value has a user, or is none that a file of services can hold
}

var (
	proxyName  = pattern.Lazy(`^(?i:https?|all|no)_(?i:proxy)$`)
	proxyValue = pattern.Lazy(`^[\w.:/\[\], *+-]*$`) // no "@": a user and a password stand before it
)

// ProxiesOf sorts an environment's.
func ProxiesOf(env []string) Proxies {
	var out Proxies
	for _, v := range env {
		name, value, _ := strings.Cut(v, "=")
		switch {
		case !proxyName().MatchString(name):
		case proxyValue().MatchString(value):
			out.Set = append(out.Set, v)
		default:
			out.Withheld = append(out.Withheld, name)
		}
	}
	return out
}

// wayOut are the variables by which a renewal reaches the authority, as the first order
// does: no service has the administrator's. Those of before stay where this environment,
// as that of sudo, has none; an empty one takes its own away.
func (b *builder) wayOut() []string {
	if !b.a.Orders() {
		return nil
	}
	p := b.f.Proxies
	if len(p.Withheld) > 0 {
		b.warn("renewal", strings.Join(p.Withheld, ", ")+" of this environment is not passed on to the renewal: it has a user, a password or odd characters in it, and everybody may read what a service is told",
			"the renewal would not reach the authority, and the certificate would end", b.secretWayOut(p.Withheld[0]))
	}
	if len(p.Set)+len(p.Withheld) == 0 {
		p = ProxiesOf(variables(string(b.f.Timer.Service.Data) + "\n" + string(b.f.Timer.Cron.Data)))
	}
	return slices.DeleteFunc(slices.Clone(p.Set), func(v string) bool { return strings.HasSuffix(v, "=") })
}

// variables are those that a unit of bitgate's, or its crontab, sets.
func variables(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		name, value, quoted := strings.Cut(strings.TrimRight(strings.TrimPrefix(line, `Environment="`), "\"\n"), "=")
		if quoted {
			out = append(out, name+"="+strings.TrimPrefix(value, `"`))
		}
	}
	return out
}

// secretWayOut is what to do about a variable that no file of everybody's may hold.
func (b *builder) secretWayOut(name string) string {
	do := "once: put the line " + name + "='...' into " + templates.SecretEnvironment + " (root's, mode 600)"
	if b.f.Systemd {
		return do + ", then systemctl edit bitgate-renew.service, and there under [Service]: EnvironmentFile=" + templates.SecretEnvironment
	}
	return do + "; " + RenewCronPath + " reads it"
}
