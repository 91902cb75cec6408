package rehearsal

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Reached says what is wrong with the answer to a request of Bitbucket's, "" when
// it reached Bitbucket whole and came back as Bitbucket sent it.
func (b Bitbucket) Reached(s *Stage, r Request, a Answer) string {
	switch {
	case a.Failed != "":
		return failed(a.Failed)
	case a.Cert != "" && !a.Covers && r.SNI != "":
		return "the certificate shown is for " + strings.Join(names(a.Names), ", ") + ", not for " + r.SNI
	case r.Kind == OldAddress:
		return b.redirected(a)
	case a.Arrived == nil:
		return s.Front + " answers " + answered(a) + " itself"
	case r.Kind == SSH && among(b.SSHUpstream, s.Servers[a.Arrived.Server].Address):
		return ""
	case !among(b.Upstreams, s.Servers[a.Arrived.Server].Address):
		return "it is led to " + s.who(a.Arrived.Server) + ", not to Bitbucket"
	}
	if wrong := intact(r, *a.Arrived); wrong != "" {
		return wrong
	}
	return unchanged(a)
}

func (b Bitbucket) redirected(a Answer) string {
	if to := field(a.Header, "Location"); a.Status/100 == 3 && strings.HasPrefix(to, b.URL.BaseURL()) {
		return ""
	}
	if a.Arrived != nil {
		return "it is not redirected to " + b.URL.BaseURL()
	}
	return "it is answered " + answered(a) + ", not redirected to " + b.URL.BaseURL()
}

func failed(what string) string {
	switch what {
	case "refused":
		return "nobody listens there"
	case "closed", "no answer": // which of both is a matter of how long it is waited for
		return "there is no answer"
	}
	return what
}

func names(of []string) []string {
	var out []string
	for _, n := range of {
		if n != "" && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out[:min(len(out), 3)]
}

// answered is an answer in short: "302 to https://other.example.com/".
func answered(a Answer) string {
	text := fmt.Sprint(a.Status)
	if to := field(a.Header, "Location"); to != "" {
		text += " to " + to
	}
	return text
}

// Alike is a text without what differs from request to request.
func Alike(what string, r Request) string {
	if len(r.Target) > 1 {
		what = strings.ReplaceAll(what, r.Target, "/...")
	}
	return what
}

// intact compares what was sent with what arrived.
func intact(r Request, got Arrival) string {
	sum := sha256.Sum256(Body(r.Body))
	switch {
	case got.Method != r.Method:
		return "it arrives with the method " + got.Method
	case got.Target != r.Target:
		return "it arrives for the path " + got.Target
	case !strings.EqualFold(got.Host, r.Host) && !strings.EqualFold(strings.TrimSuffix(r.Host, ":443"), got.Host):
		return "it arrives for the host " + got.Host
	case r.Said > 0 && got.Length == r.Said:
	case got.Length != int64(r.Body) || got.Sum != hex.EncodeToString(sum[:]):
		return fmt.Sprintf("%d bytes of %d arrive", got.Length, r.Body)
	}
	for _, name := range []string{"Authorization", "Cookie", "Content-Type", "Content-Encoding", "Git-Protocol", "Range", "Accept-Language", "X-Atlassian-Token", "Origin", "Upgrade"} {
		if sent, came := field(r.Header, name), field(got.Header, name); sent != came {
			if came == "" {
				return "it arrives without its " + name
			}
			return "it arrives with another " + name
		}
	}
	return ""
}

// unchanged compares what the recorder answered with what came back.
func unchanged(a Answer) string {
	if a.Status != a.Arrived.Status {
		return fmt.Sprintf("Bitbucket's answer %d comes back as %s", a.Arrived.Status, answered(a))
	}
	for _, f := range a.Arrived.Sent {
		if !slices.Contains(a.Header, f) {
			return "its answer comes back without \"" + f.Name + ": " + f.Value + "\""
		}
	}
	return ""
}

// who names a server for people: "backend wiki (10.0.0.5:8080)".
func (s *Stage) who(server int) string {
	sv := s.Servers[server]
	return fmt.Sprintf("%s (%s)", sv.Section, sv.Address)
}

func field(all []Field, name string) string {
	for _, f := range all {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

func short(s string) string {
	if len(s) > 80 {
		return s[:77] + "..."
	}
	return s
}
