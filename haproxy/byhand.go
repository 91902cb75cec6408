package haproxy

import (
	"fmt"
	"strings"
)

// bitbucketSigns tells by what a section shows that it was made by hand for
// Bitbucket: Atlassian's names, its port 7990, its status page, its session
// cookie (Atlassian: "Securing Bitbucket behind HAProxy", "Install Bitbucket
// Data Center"). Comments do not count.
func bitbucketSigns(f *File, s Section) []string {
	var signs []string
	add := func(i int, what string) { signs = append(signs, fmt.Sprintf("%s (line %d)", what, i+1)) }
	if mentionsBitbucket(s.Name) {
		add(s.First, "its name")
	}
	for i := s.First + 1; i <= s.Last; i++ {
		w := f.Lines[i].Words
		if len(w) < 2 {
			continue
		}
		text := string(f.Lines[i].Raw)
		switch {
		case w[0].Text == "server" && len(w) > 2 && strings.HasSuffix(w[2].Text, ":7990"):
			add(i, "a server on port 7990")
		case strings.Contains(text, "httpchk") && strings.Contains(text, "/status") && len(signs) > 0:
			add(i, "checks of /status")
		case strings.Contains(text, "BITBUCKETSESSIONID"):
			add(i, "the cookie BITBUCKETSESSIONID")
		}
	}
	return signs
}

// leadsOnlyToBitbucket is the sign of a frontend with a name of its own.
func leadsOnlyToBitbucket(files []parsed, f *File, s Section) []string {
	var signs []string
	for i := s.First + 1; i <= s.Last; i++ {
		switch to := target(f.Lines[i]); {
		case to == "":
		case !leadsToBitbucket(files, to):
			return nil
		default:
			signs = append(signs, fmt.Sprintf("it leads to %q (line %d)", to, i+1))
		}
	}
	return signs
}

// leadsToBitbucket reports whether the section of that name has signs of it.
func leadsToBitbucket(files []parsed, name string) bool {
	for _, p := range files {
		for _, s := range p.file.Sections {
			if s.Name == name && (s.Keyword == "backend" || s.Keyword == "listen") && len(bitbucketSigns(p.file, s)) > 0 {
				return true
			}
		}
	}
	return false
}
