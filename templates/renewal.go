package templates

import (
	"fmt"
	"path"
	"strings"
)

// RenewUnit is what the renewal's unit depends on. Paths are absolute.
type RenewUnit struct {
	Program  string   // of bitgate
	StateDir string   // with the journal
	Writable []string // what it writes to besides
	// Environment are variables, NAME=value, without quotes, "%" and backslashes.
	Environment []string
}

// RenewService returns the unit that renews the certificate of a front once.
func RenewService(u RenewUnit) (string, error) {
	program, err := execWord(u.Program)
	if err != nil {
		return "", err
	}
	stateDir, err := execWord(u.StateDir)
	if err != nil {
		return "", err
	}
	var writable []string
	for _, p := range append([]string{u.StateDir}, u.Writable...) {
		word, err := pathWord(p)
		if err != nil {
			return "", err
		}
		writable = append(writable, word)
	}
	return fill("bitgate-renew.service.tmpl", struct {
		RenewUnit
		Condition string // the program once more; a path is not a word of a command (systemd.unit(5))
	}{RenewUnit{Program: program, StateDir: stateDir, Writable: writable, Environment: u.Environment}, strings.ReplaceAll(u.Program, "%", "%%")}, nil)
}

// RenewTimer returns the timer of that unit (systemd.timer(5)). Without systemd's
// FixedRandomDelay= (247) the minute is another one each time.
func RenewTimer() (string, error) { return fill("bitgate-renew.timer.tmpl", nil, nil) }

// SecretEnvironment is a file with variables of the renewal that not everybody may read,
// as the address of a proxy with a password. It is the administrator's.
const SecretEnvironment = "/etc/bitgate-proxy.env"

// RenewCron is the same for cron, as a file of /etc/cron.d (crontab(5)). What bitgate
// says of a good run is for nobody; cron mails the rest. SecretEnvironment is read first.
func RenewCron(u RenewUnit, minute int) (string, error) {
	for _, p := range []string{u.Program, u.StateDir} {
		if !path.IsAbs(p) || strings.ContainsAny(p, "\n\r\x00%") { // cron makes a line end of "%"
			return "", fmt.Errorf("%q cannot stand in a crontab", p)
		}
	}
	variables := ""
	for _, v := range u.Environment {
		name, value, _ := strings.Cut(v, "=")
		variables += name + `="` + value + "\"\n"
	}
	quote := func(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
	return fmt.Sprintf(`# Written by bitgate; "bitgate setup" rewrites it.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
%[4]s%[1]d * * * * root test ! -r %[5]s || { set -a; . %[5]s; set +a; }; test ! -x %[2]s || %[2]s cert renew --state-dir %[3]s >/dev/null
`, minute, quote(u.Program), quote(u.StateDir), variables, SecretEnvironment), nil
}
