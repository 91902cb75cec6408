package haproxy

import (
	"bytes"
	"fmt"
	"strings"
)

// bitbucketSigns tells by what a section shows that it was made by hand for
// Bitbucket: Atlassian's names, its port 7990, its status page, its session
// cookie (Atlassian: "Securing Bitbucket behind HAProxy", "Install Bitbucket
// Data Center"). Comments do not count.
func (d *draft) bitbucketSigns(s Section) []string {
	var signs []string
	add := func(i int, what string) { signs = append(signs, fmt.Sprintf("%s (line %d)", what, i+1)) }
	if mentionsBitbucket(s.Name) {
		add(s.First, "its name")
	}
	d.each(s, func(i int, w []Word) {
		if len(w) < 2 {
			return
		}
		text := d.Lines[i].plain
		has := func(word string) bool { return bytes.Contains(text, []byte(word)) }
		switch {
		case w[0].Text == "server" && strings.HasSuffix(word(w, 2), ":7990"):
			add(i, "a server on port 7990")
		case len(signs) > 0 && has("httpchk") && has("/status"):
			add(i, "checks of /status")
		case has("BITBUCKETSESSIONID"):
			add(i, "the cookie BITBUCKETSESSIONID")
		}
	})
	return signs
}

// leadsOnlyToBitbucket is the sign of a frontend with a name of its own.
func (m *merger) leadsOnlyToBitbucket(d *draft, s Section) []string {
	var signs []string
	others := false
	d.each(s, func(i int, w []Word) {
		switch to := target(w); {
		case to == "":
		case !m.leadsToBitbucket(to):
			others = true
		default:
			signs = append(signs, fmt.Sprintf("it leads to %q (line %d)", to, i+1))
		}
	})
	if others {
		return nil
	}
	return signs
}

// leadsToBitbucket reports whether the section of that name has signs of it, or no
// other servers than those that ours are to have.
func (m *merger) leadsToBitbucket(name string) bool {
	if m.signed == nil {
		m.signed = map[string]bool{}
		for _, d := range m.files {
			for n, s := range d.Sections {
				if (s.Keyword == "backend" || s.Keyword == "listen") && d.live(n) && (len(d.bitbucketSigns(s)) > 0 || m.hasOurServers(d, s)) {
					m.signed[s.Name] = true
				}
			}
		}
	}
	return m.signed[name]
}

// hasOurServers reports whether all servers of a section are Bitbucket's.
func (m *merger) hasOurServers(d *draft, s Section) bool {
	ours, others := false, false
	d.each(s, func(_ int, w []Word) {
		switch w[0].Text {
		case "server":
			is := m.site.forwardsTo(word(w, 2))
			ours, others = ours || is, others || !is
		case "server-template", "dispatch":
			others = true
		}
	})
	return ours && !others
}
