package local

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"bitgate/haproxy"
)

// rules looks at what sections do to a request and its answer. A rule that concerns the
// name of another site is none of ours, and one that bitgate writes is no cause of
// anything. A "listen", and defaults of both sides, are read once.
func (c haConfig) rules(s *Site, sections ...*haSection) {
	for i, from := range sections {
		if from == nil || slices.Contains(sections[:i], from) {
			continue
		}
		for _, l := range from.lines {
			if !haproxy.Rendered(l.text) {
				c.rule(l, s)
			}
		}
	}
}

func (c haConfig) rule(l line, s *Site) {
	action := strings.ToLower(l.word(1))
	all := strings.ToLower(strings.Join(l.words, " "))
	switch {
	case l.starts("compression", "algo"):
		s.Compress = append(s.Compress, l.setting(l.word(2)))
	case l.word(0) == "filter" && strings.HasPrefix(action, "bwlim-"):
		s.Slow = append(s.Slow, l.setting(action))
	case l.starts("option", "http-buffer-request"):
		s.Chunked = append(s.Chunked, l.setting(action))
	case l.starts("http-request", "cache-use"):
		s.Caches = append(s.Caches, l.setting(action))
	case l.word(0) != "http-request":
	case action == "normalize-uri" || strings.Contains(all, "url_dec"):
		s.Decodes = append(s.Decodes, l.setting(action))
	case action == "set-path" || action == "replace-path" || action == "set-uri" || action == "replace-uri" || action == "set-pathq" || action == "replace-pathq":
		s.Rewrites = append(s.Rewrites, l.setting(action))
	case action == "del-header" && l.deletes("Authorization"):
		s.Auth = append(s.Auth, l.setting(action))
	case action == "auth":
		s.Auth = append(s.Auth, l.setting(action))
	case action == "set-header" && strings.EqualFold(l.word(2), "host"):
		s.Host = l.setting(l.word(3))
	case action == "del-header" && l.deletes("Expect"):
		s.Expect = append(s.Expect, l.setting(action))
	case action == "deny" || action == "tarpit" || action == "reject" || action == "return":
		c.denial(l, all, s)
	}
}

// denial sorts a rule that refuses by what it looks at.
func (c haConfig) denial(l line, all string, s *Site) {
	switch {
	case strings.Contains(all, "transfer-encoding") && strings.Contains(all, "chunked") && strings.Contains(all, "!"):
		// refuses others than chunked ones
	case strings.Contains(all, "transfer-encoding"):
		s.Chunked = append(s.Chunked, l.setting(l.word(1)))
	case strings.Contains(all, "(expect)"):
		s.Expect = append(s.Expect, l.setting(l.word(1)))
	case strings.Contains(all, "content-length") || strings.Contains(all, "req.body_size"):
		for _, word := range l.words {
			if n, err := strconv.ParseInt(word, 10, 64); err == nil && n > 999 {
				s.Body = l.setting(strconv.FormatInt(n, 10))
			}
		}
	}
}

// forwarded judges X-Forwarded-For: HAProxy appends a second field to what the
// client sends, unless that is taken away first.
func (c haConfig) forwarded(front, back *haSection, s *Site) {
	removed := false
	for _, section := range []*haSection{front, back} {
		for _, l := range section.lines {
			switch {
			case l.starts("http-request", "del-header") && l.deletes("X-Forwarded-For"):
				removed = true
			case l.starts("http-request", "set-header") && strings.EqualFold(l.word(2), "x-forwarded-for"):
				s.From = l.setting("set")
				return
			}
		}
	}
	for _, section := range []*haSection{front, back} {
		l, ok := section.last("option", "forwardfor")
		if !ok {
			continue
		}
		s.From = l.setting("appended")
		if removed {
			s.From.Value = "set"
		}
		s.Missing["Spoofable"] = Cure{Add(front.place, "    http-request del-header X-Forwarded-For")}
		return
	}
}

// deletes reports whether a del-header takes the field: "NAME [-m str|beg|end|sub|reg]".
func (l line) deletes(field string) bool {
	name, how := strings.ToLower(l.word(2)), "str"
	field = strings.ToLower(field)
	if i := slices.Index(l.words, "-m"); i > 0 {
		how = l.word(i + 1)
	}
	switch how {
	case "beg":
		return strings.HasPrefix(field, name)
	case "end":
		return strings.HasSuffix(field, name)
	case "sub":
		return strings.Contains(field, name)
	case "reg":
		re, err := regexp.Compile("(?i)" + l.word(2))
		return err == nil && re.MatchString(field)
	}
	return name == field
}
