package rehearsal

import (
	"fmt"
	"slices"
	"strings"

	"bitgate/haproxy"
	"bitgate/internal/pattern"
)

// Compare says how the answer to a request for somebody else changes, "" when it
// does not, or in no way that takes anything from anybody.
func (b Bitbucket) Compare(before, after *Stage, r Request, was, is Answer) string {
	if b.named(r.Host) && is.Covers && was.Cert != "" {
		was.Cert = is.Cert // its own
	}
	change := changed(before, after, was, is)
	if change == "" || b.harmless(before, r, was, is) || b.renewing(before, after, r, was, is) || before.challenged(r, was) {
		return ""
	}
	return change
}

// harmless is a change at an address that nobody served, and on the way to
// Bitbucket where its name had no other use: no file mentions it, nor the path,
// and it was answered as any name is.
func (b Bitbucket) harmless(before *Stage, r Request, was, is Answer) bool {
	to := field(is.Header, "Location")
	ours := strings.HasPrefix(to, b.URL.Origin())
	nobody := was.Failed == "refused" || strings.HasPrefix(was.Failed, "no TLS")
	switch {
	case b.named(r.Host) && b.Thumbprint != "" && was.Arrived == nil && is.Status == 200 && strings.HasSuffix(is.Body, "."+b.Thumbprint):
		return true // to an authority that asks whose the name is; a program that was asked before is another matter
	case b.named(r.Host):
		served := was.Arrived != nil || was.Status/100 == 3
		return !served || nobody || r.Common && !before.used || ours && b.owns(r)
	case nobody:
		// A browser keeps a permanent redirect, also where another site comes to listen.
		return !ours || is.Status == 302 || !before.foreign()
	}
	return false
}

// foreign reports whether a section listens that is not bitgate's own.
func (s *Stage) foreign() bool {
	return slices.ContainsFunc(s.Doors, func(d Door) bool { return !haproxy.OwnSection(d.Section) })
}

// renewing: what authorities ask goes to the program that renews the certificate, and
// went to Bitbucket, or to whoever gets what no rule tells apart.
func (b Bitbucket) renewing(before, after *Stage, r Request, was, is Answer) bool {
	return b.renews(r) && is.Arrived != nil && after.Servers[is.Arrived.Server].Address == b.Renewer &&
		(was.Arrived == nil || !before.servesAuthorities() || slices.Contains(b.Upstreams, before.Servers[was.Arrived.Server].Address))
}

// renews reports whether a request is one that the program which renews the certificate is
// to answer.
func (b Bitbucket) renews(r Request) bool {
	return b.Renewer != "" && b.named(r.Host) && strings.HasPrefix(r.Target, haproxy.ChallengePath)
}

// servesAuthorities reports whether a rule leads what authorities ask (ACME, http-01) to
// some backend.
func (s *Stage) servesAuthorities() bool {
	asks := func(word string) bool { return strings.Contains(word, ".well-known") }
	var acls []string
	s.config.each(func(_ section, _ haproxy.Section, l line) {
		if l.texts[0] == "acl" && len(l.texts) > 1 && slices.ContainsFunc(l.texts, asks) {
			acls = append(acls, l.texts[1])
		}
	})
	found := false
	s.config.each(func(_ section, _ haproxy.Section, l line) {
		found = found || l.texts[0] == "use_backend" && slices.ContainsFunc(l.texts, func(word string) bool {
			return asks(word) || slices.Contains(acls, strings.TrimLeft(word, "!"))
		})
	})
	return found
}

// challenged: bitgate's own section answered an authority, whoever it asked for, and the
// certificate comes from elsewhere now.
func (s *Stage) challenged(r Request, was Answer) bool {
	return s.own(r.Address) && was.Arrived == nil && was.Status == 200 && strings.HasPrefix(r.Target, haproxy.ChallengePath)
}

// own reports whether bitgate's own sections listen at an address, and nobody else.
func (s *Stage) own(address string) bool {
	return !s.foreignAt(address) && slices.ContainsFunc(s.Doors, func(d Door) bool { return d.Address == address })
}

// foreignAt reports whether a section listens there that is not bitgate's own.
func (s *Stage) foreignAt(address string) bool {
	return slices.ContainsFunc(s.Doors, func(d Door) bool { return d.Address == address && !haproxy.OwnSection(d.Section) })
}

// changed compares two answers.
func changed(before, after *Stage, was, is Answer) string {
	switch {
	case mute(was) && mute(is):
		return ""
	case was.Failed != is.Failed:
		return fmt.Sprintf("now %s, then %s", before.told(was), after.told(is))
	case was.Failed != "":
		return ""
	case was.Cert != is.Cert:
		return fmt.Sprintf("the certificate shown is for %s, and would be the one for %s", strings.Join(names(was.Names), ", "), strings.Join(names(is.Names), ", "))
	case before.told(was) != after.told(is):
		return fmt.Sprintf("now %s, then %s", before.told(was), after.told(is))
	case was.Protocol != is.Protocol:
		return fmt.Sprintf("HTTP version agreed on: %q, and would be %q", was.Protocol, is.Protocol)
	}
	if what := changedFields(was.Header, is.Header); what != "" {
		return "the answer's header changes: " + what
	}
	if was.Arrived == nil {
		if was.Body != is.Body {
			return "the answer's body changes"
		}
		return ""
	}
	x, y := *was.Arrived, *is.Arrived
	switch {
	case x.Method != y.Method || x.Target != y.Target:
		return fmt.Sprintf("it arrives as %s %s, and would as %s %s", x.Method, x.Target, y.Method, y.Target)
	case x.Host != y.Host:
		return fmt.Sprintf("it arrives for the host %q, and would for %q", x.Host, y.Host)
	case x.Sum != y.Sum:
		return "another body arrives"
	}
	if what := changedFields(x.Header, y.Header); what != "" {
		return "the header that arrives changes: " + what
	}
	return ""
}

// mute: the connection is taken, and no answer comes.
func mute(a Answer) bool { return a.Failed == "no answer" || a.Failed == "closed" }

// told is who answers and how, in short.
func (s *Stage) told(a Answer) string {
	switch {
	case a.Failed != "":
		return failed(a.Failed)
	case a.Arrived == nil:
		return answered(a) + " from " + s.Front
	case a.Status != a.Arrived.Status:
		return answered(a) + " from " + s.group(a.Arrived.Server)
	}
	return s.group(a.Arrived.Server)
}

// group names what a server stands for: HAProxy may ask any other of its section.
func (s *Stage) group(server int) string {
	section := s.Servers[server].Section
	var addresses []string
	for _, sv := range s.Servers {
		if sv.Section == section && !slices.Contains(addresses, sv.Address) {
			addresses = append(addresses, sv.Address)
		}
	}
	slices.Sort(addresses)
	if len(addresses) > 3 {
		addresses = append(addresses[:3], "...")
	}
	return section + " (" + strings.Join(addresses, ", ") + ")"
}

func changedFields(was, is []Field) string {
	for _, f := range was {
		if !slices.Contains(is, f) {
			return f.Name + " was " + f.shown() + ", and would be " + Field{f.Name, field(is, f.Name)}.shown()
		}
	}
	for _, f := range is {
		if !slices.Contains(was, f) {
			return f.Name + " would be " + f.shown()
		}
	}
	return ""
}

// credential are names of fields whose values nobody is to see: a front may add
// what its servers ask for.
var credential = pattern.Lazy(`(?i)auth|cookie|key|token|secret|pass|session|credential|signature`)

func (f Field) shown() string {
	switch {
	case f.Value == "":
		return "absent"
	case credential().MatchString(f.Name):
		return "a value that is not shown"
	}
	return fmt.Sprintf("%q", short(f.Value))
}

// WithoutVolatile leaves out of both answers what changes between two answers of
// the same configuration: times, numbers of requests, servers taken by turns.
func WithoutVolatile(was, again Answer, all ...*Answer) {
	var volatile []string
	note := func(a, b []Field) {
		for _, f := range slices.Concat(a, b) {
			if field(a, f.Name) != field(b, f.Name) {
				volatile = append(volatile, strings.ToLower(f.Name))
			}
		}
	}
	note(was.Header, again.Header)
	if was.Arrived != nil && again.Arrived != nil {
		note(was.Arrived.Header, again.Arrived.Header)
	}
	strip := func(all []Field) []Field {
		return slices.DeleteFunc(slices.Clone(all), func(f Field) bool { return slices.Contains(volatile, strings.ToLower(f.Name)) })
	}
	for _, a := range all {
		a.Header = strip(a.Header)
		if a.Arrived != nil {
			arrived := *a.Arrived
			arrived.Header = strip(arrived.Header)
			a.Arrived = &arrived
		}
		if was.Body != again.Body {
			a.Body = ""
		}
	}
}
