package haproxy

import (
	"fmt"
	"strings"

	"bitgate/internal/problem"
)

// ACMENotes tell of the certificates that HAProxy orders itself (section "acme", 3.2
// and newer). They are left to it: bitgate copies, renews and renders none of them. It
// keeps them in memory alone, so that a reload orders anew, and knows no ARI
// (configuration manual of 3.4, "acme").
func (c Config) ACMENotes() []problem.Finding {
	var out []problem.Finding
	for _, f := range c.files {
		for _, s := range f.Sections {
			if s.Keyword != "acme" {
				continue
			}
			found := fmt.Sprintf("HAProxy orders certificates itself (acme %s, %s, line %d)", s.Name, f.Path, s.First+1)
			if used := c.acmeUsers(s.Name); len(used) > 0 {
				found += " for " + strings.Join(used, ", ")
			}
			out = append(out, problem.Finding{
				ID: "haproxy-acme", Level: problem.Warn, Title: "Certificates that HAProxy orders", Found: found,
				Why: "it keeps them in memory: a reload serves the file of before until another one is issued, and some reloads use up what an authority allows in a week",
				Do:  "bitgate leaves them alone; to have one kept, give it to bitgate (--acme-ca) and take the section out",
			})
		}
	}
	return out
}

// acmeUsers are the lines that have a certificate ordered by a section: "load" of a
// crt-store and "bind" name it behind the word acme.
func (c Config) acmeUsers(section string) []string {
	var out []string
	for _, f := range c.files {
		for _, l := range f.Lines {
			crt, named := "", false
			for i := 1; i+1 < len(l.Words); i++ {
				switch l.Words[i].Text {
				case "crt":
					crt = l.Words[i+1].Text
				case "acme":
					named = named || l.Words[i+1].Text == section
				}
			}
			if named && crt != "" {
				out = append(out, crt)
			}
		}
	}
	return out
}
