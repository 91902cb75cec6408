package problem

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// However an error came about, and whoever prints it: a password is not in it.
func TestNoPasswordOfAnAddressInAnError(t *testing.T) {
	const canary = "hunter2"
	for _, address := range []string{
		"https://admin:" + canary + "@git.example.com/", "http://admin:" + canary + "@127.0.0.1:7990", "https://" + canary + "@git.example.com",
		"https://admin:a/" + canary + "@git.example.com", "https://admin:a@" + canary + "@git.example.com", "ssh://git:" + canary + "@git.example.com:7999/x",
		"admin:" + canary + "@git.example.com", "HTTPS://ADMIN:" + canary + "@GIT", "svn+ssh://u:" + canary + "@h",
	} {
		for _, format := range []string{"%s", "%q", "invalid argument %q for \"--url\" flag: no", "upstream: %s is wrong", "(%s)", "url=%s"} {
			text := fmt.Sprintf(format, address)
			for name, err := range map[string]error{
				"New": New(text, text, text), "Wrap": Wrap(errors.New(text), "it failed", "", ""), "foreign": errors.New(text), "join": errors.Join(errors.New(text), New(text, "", "")),
				"finding": Finding{Found: text, Why: text, Do: text}.Err(),
			} {
				if e := Explain(err); strings.Contains(fmt.Sprint(e), canary) {
					t.Errorf("%s: %q", name, e)
				}
				var p *Error
				if errors.As(err, &p) && strings.Contains(p.Error(), canary) {
					t.Errorf("%s: %s", name, p)
				}
			}
			if got := (Finding{Found: text}).Text(); strings.Contains(got, canary) {
				t.Error(got)
			}
		}
	}
	for _, text := range []string{
		"https://git.example.com:7990/bitbucket does not answer", "git@github.com is an address", "line 3: user@example.com, time 12:30",
		"process 12 (java): bitbucket@1.service failed", `"127.0.0.1:443" is in use`,
	} {
		if got := Mask(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}
