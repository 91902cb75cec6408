package setup

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"bitgate/haproxy"
	"bitgate/internal/hostport"
	"bitgate/internal/problem"
	"bitgate/internal/service"
	"bitgate/internal/splice"
	"bitgate/proxy/config"
)

// order plans a certificate from an authority, unless the one that was issued before
// does: what must stand for the authority to be answered, then the order. All of it
// comes before anything of Bitbucket is touched, so that a refusal costs it nothing.
func (b *builder) order(s *Step) error {
	b.plan.Notes = append(b.plan.Notes, b.f.Rivals...)
	if b.f.Certificate.Given { // from the store
		return nil
	}
	if e := b.f.Authority; e.Error != "" {
		return problem.New("nothing can be ordered: "+e.Error, "the front needs a certificate", e.Do)
	}
	o := &ObtainChange{Order: b.a.Order(), BindingID: b.a.ACMEBindingID, BindingFile: b.a.ACMEBindingFile, Rehearsal: rehearsals[b.a.Order().Directory]}
	if o.Challenge == DNSPersist01 {
		o.Rehearsal = "" // the record that stands names the account at the real authority
	}
	var err error
	switch o.Challenge {
	case HTTP01:
		o.Asked = local(RedirectAddresses(b.a))
		err = b.answerHTTP(s, o)
	case TLSALPN01:
		o.Asked = local(b.a.Listen)
		o.Challenges = b.challengeFolder()
		err = b.answerTLS(s, o)
	}
	if err != nil {
		return err
	}
	if b.a.ACME == "letsencrypt-staging" {
		b.warn("acme", "certificates of letsencrypt-staging are accepted by no client", "it is there to try an order", "--acme-ca letsencrypt when that works")
	}
	s.Changes = append(s.Changes, Change{Phase: PhaseObtain, Obtain: o})
	return nil
}

// reorder has renewals order as the answers want it, where nothing is ordered now that
// would bring it with it.
func (b *builder) reorder(s *Step) {
	was, want := b.f.Deployed, b.plan.Deployment.Order
	if was == nil || slices.ContainsFunc(s.Changes, func(c Change) bool { return c.Obtain != nil }) || want.equal(was.Order) {
		return
	}
	s.Changes = append(s.Changes, Change{Phase: PhaseObtain, Renewal: &RenewalChange{Was: was.Order, Order: want}})
}

// local are addresses as they are dialled on this machine.
func local(listen []string) []string {
	var out []string
	for _, l := range listen {
		if a, err := hostport.Parse(l); err == nil && !slices.Contains(out, a.Local().String()) {
			out = append(out, a.Local().String())
		}
	}
	return out
}

// Thumbprint is what the front answers http-01 with, "" where it is not asked.
func Thumbprint(f Facts, a Answers) string {
	if !a.Orders() || a.Challenge() != HTTP01 {
		return ""
	}
	return cmp.Or(f.Account, unmade)
}

func (b *builder) thumbprint() string { return Thumbprint(b.f, b.a) }

// challengeFolder is where the built-in proxy finds certificates of tls-alpn-01, "" where it is not asked so.
func (b *builder) challengeFolder() string {
	if o := b.a.standing(b.f.ProxyConfig.Path); o != nil {
		return o.Challenges
	}
	return ""
}

// answerHTTP has port 80 answer: by the front that holds it, or by bitgate itself as
// long as nobody does.
func (b *builder) answerHTTP(s *Step, o *ObtainChange) error {
	addresses := RedirectAddresses(b.a)
	if b.a.Front == FrontHAProxy {
		all, err := b.f.HAProxyConfig.MergeChallenge(b.site(Where(b.a, b.f.HAProxy).Bundle))
		if err != nil {
			return err
		}
		if len(all) > 0 {
			return b.earlyHAProxy(s, all)
		}
		if b.binds80() {
			return nil // and has the rule
		}
	} else if c, runs := b.proxyNow(); runs && len(c.RedirectListen) > 0 {
		if c.Thumbprint == b.f.Account && b.f.Account != "" {
			return nil
		}
		return b.earlyProxy(s, "acme-thumbprint", b.thumbprint())
	}
	if err := b.challengePort(); err != nil {
		return err
	}
	o.Answer = addresses
	return nil
}

// challengePort refuses where another program has the port that authorities ask at.
func (b *builder) challengePort() error {
	who := b.port80Holder()
	if b.thumbprint() == "" || who == "" || strings.HasPrefix(who, `"`) { // a section of haproxy.cfg, which can be shared
		return nil
	}
	return problem.New("port 80 belongs to "+who, "authorities ask there whether "+b.a.URL.Host()+" is this machine's",
		"have it leave the port, or show by DNS whose the name is: --acme-challenge dns-01 --acme-dns-hook FILE")
}

// answerTLS has port 443 answer by the built-in proxy, or by bitgate itself.
func (b *builder) answerTLS(s *Step, o *ObtainChange) error {
	if c, runs := b.proxyNow(); runs {
		if c.ChallengeFolder == o.Challenges {
			return nil
		}
		return b.earlyProxy(s, "acme-challenges", o.Challenges)
	}
	for _, l := range b.a.Listen {
		a, _ := hostport.Parse(l) // judged by validate
		o.Answer = append(o.Answer, a.String())
	}
	return nil
}

// binds80 reports whether HAProxy takes plain requests by its configuration.
func (b *builder) binds80() bool {
	return slices.ContainsFunc(RedirectAddresses(b.a), func(a string) bool { return len(b.f.HAProxyConfig.Takers(a)) > 0 }) ||
		slices.ContainsFunc(b.f.HAProxyConfig.Binds(), func(bind haproxy.Bind) bool {
			return bind.Ours && !bind.SSL && strings.HasSuffix(bind.Address, ":80")
		})
}

// proxyNow is the configuration of the built-in proxy, where it runs with one.
func (b *builder) proxyNow() (config.Config, bool) {
	c, err := config.Parse(b.f.ProxyConfig.Path, b.f.ProxyConfig.Data)
	if err != nil || b.f.ProxyConfig.Absent {
		return c, false
	}
	for _, l := range slices.Concat(c.Listen, c.RedirectListen) {
		if h, held := Holder(b.f.Listeners, l); held && h.Process == "bitgate" {
			return c, true
		}
	}
	return c, false
}

// earlyHAProxy adds the rule to what runs.
func (b *builder) earlyHAProxy(s *Step, all []haproxy.Merged) error {
	for _, m := range all {
		file, known := b.haproxyFile(m.Path)
		if !known {
			return problem.New(m.Path+" is not among HAProxy's files", "", "give --haproxy-cfg")
		}
		b.edit(s, PhaseChallengeFiles, file, m.After, m.Splices)
	}
	return b.early(s, "haproxy", service.Reload)
}

// earlyProxy sets one key in what the built-in proxy runs with.
func (b *builder) earlyProxy(s *Step, key, value string) error {
	file, line := b.f.ProxyConfig, key+": "+value
	data := string(b.current(file))
	edit := splice.Splice{Offset: len(data), New: line + "\n"}
	if before, rest, found := strings.Cut("\n"+data, "\n"+key+":"); found {
		value, _, _ := strings.Cut(rest, "\n")
		edit = splice.Splice{Offset: len(before), Old: key + ":" + value, New: line}
	} else if !strings.HasSuffix(data, "\n") {
		edit.New = "\n" + edit.New
	}
	after := data[:edit.Offset] + edit.New + data[edit.Offset+len(edit.Old):]
	b.edit(s, PhaseChallengeFiles, file, []byte(after), []splice.Splice{edit})
	verb := service.Restart
	if b.handsOver() {
		verb = service.Reload
	}
	return b.early(s, "proxy", verb)
}

// early has the front take what was added for the authority.
func (b *builder) early(s *Step, target string, verb service.Verb) error {
	ctl := b.plan.Run.Front
	if ctl.How == service.Never || ctl.How == service.Manual {
		return problem.New(fmt.Sprintf("the front (%s) holds port 80, and bitgate is not to reload it", target),
			"it must answer the authority before the certificate can be ordered", "let it be reloaded (--reload), or show by DNS whose the name is: --acme-challenge dns-01 --acme-dns-hook FILE")
	}
	s.Changes = append(s.Changes, Change{Phase: PhaseChallengeService, Service: &ServiceChange{Target: target, Verb: verb, Control: ctl}})
	return nil
}
