package templates

import (
	"fmt"
	"path"
	"strings"
)

// Unit is what the systemd unit of the built-in proxy depends on.
type Unit struct {
	Program string // absolute path of bitgate
	Config  string // absolute path of proxy.yaml
}

// SystemdUnit returns the unit that runs the built-in proxy (systemd.unit(5),
// systemd.exec(5)). Directives that an older systemd does not know are ignored
// by it with a line in its log.
//
// The key may be root's alone although the proxy is not: see proxy.OpenKeys.
// LoadCredential= would hand over a copy that no reload renews.
func SystemdUnit(u Unit) (string, error) {
	program, err := execWord(u.Program)
	if err != nil {
		return "", err
	}
	config, err := execWord(u.Config)
	if err != nil {
		return "", err
	}
	return fill("bitgate-proxy.service.tmpl", Unit{Program: program, Config: config}, nil)
}

// execWord spells an absolute path as one word of ExecStart (systemd.service(5),
// "Command lines").
func execWord(p string) (string, error) {
	word, err := pathWord(p)
	return strings.ReplaceAll(word, "$", "$$"), err // variables stand in commands alone
}

// pathWord spells it as one word of a list of paths, ReadWritePaths= for one.
func pathWord(p string) (string, error) {
	if !path.IsAbs(p) || strings.ContainsAny(p, "\n\r\x00") {
		return "", fmt.Errorf("%q cannot stand in a systemd unit: it must be an absolute path", p)
	}
	p = strings.NewReplacer("%", "%%", `\`, `\\`, `"`, `\"`).Replace(p)
	if strings.ContainsAny(p, " \t'\";\\") {
		p = `"` + p + `"`
	}
	return p, nil
}
