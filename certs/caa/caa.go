package caa

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// Record is one CAA record: `issue "letsencrypt.org; validationmethods=dns-01"`.
type Record struct {
	Critical   bool
	Tag, Value string
}

// String is the record as a zone file has it, without its name.
func (r Record) String() string {
	flags := 0
	if r.Critical {
		flags = 128
	}
	return fmt.Sprintf(`CAA %d %s "%s"`, flags, r.Tag, r.Value)
}

// Set are the records that count for a name; the zero Set where there are none.
type Set struct {
	At      string // the name that has them: the one asked for, or one above it
	Records []Record
}

// Find asks a resolver (host:port) for the records that count for a name: those of the
// name itself or of the nearest one above it that has any (RFC 8659, 3).
func Find(ctx context.Context, resolver, name string) (Set, error) {
	name = strings.TrimPrefix(strings.TrimSuffix(name, "."), "*.")
	for at := name; at != ""; _, at, _ = strings.Cut(at, ".") {
		records, err := ask(ctx, resolver, at)
		if err != nil {
			return Set{}, err
		}
		if len(records) > 0 {
			return Set{at, records}, nil
		}
	}
	return Set{}, nil
}

// Order is what an authority would look at.
type Order struct {
	Issuers   []string // how the authority calls itself in such records
	Account   string   // URL of the account, "" before there is one
	Challenge string   // "http-01"
	Wildcard  bool
}

// Forbids says why the set keeps an authority from issuing, "" where it does not.
func (s Set) Forbids(o Order) string {
	property := "issue"
	if o.Wildcard && slices.ContainsFunc(s.Records, func(r Record) bool { return strings.EqualFold(r.Tag, "issuewild") }) {
		property = "issuewild"
	}
	known := []string{"issue", "issuewild", "iodef", "issuemail", "contactemail", "contactphone"}
	for _, r := range s.Records {
		if r.Critical && !slices.Contains(known, strings.ToLower(r.Tag)) {
			return "the record " + r.String() + " is critical, and no authority knows what it means"
		}
	}
	why := ""
	for _, r := range s.Records {
		if !strings.EqualFold(r.Tag, property) {
			continue
		}
		if bad := r.refuses(o); bad == "" {
			return ""
		} else if why == "" || strings.Contains(bad, "allows") { // the record that names the authority says most
			why = bad
		}
	}
	return why // "" where no record restricts who issues
}

// ByAccount reports whether the set would let the authority issue for an account that it
// names, and not for the order's.
func (s Set) ByAccount(o Order) bool {
	return s.Forbids(o) != "" && slices.ContainsFunc(s.Records, func(r Record) bool {
		for name, value := range r.parameters() {
			other := o
			other.Account = value
			if name == "accounturi" && s.Forbids(other) == "" {
				return true
			}
		}
		return false
	})
}

// parameters of a record, behind its issuer, by their names in lower case (RFC 8659, 4.2).
func (r Record) parameters() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		_, all, _ := strings.Cut(r.Value, ";")
		for p := range strings.SplitSeq(all, ";") {
			name, value, _ := strings.Cut(p, "=")
			if !yield(strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)) {
				return
			}
		}
	}
}

// refuses says why a record does not allow the order, "" where it does.
func (r Record) refuses(o Order) string {
	issuer, _, _ := strings.Cut(r.Value, ";")
	issuer = strings.TrimSpace(issuer)
	if !slices.ContainsFunc(o.Issuers, func(own string) bool { return strings.EqualFold(own, issuer) }) {
		if issuer == "" {
			return "the record " + r.String() + " lets nobody issue"
		}
		return "the record " + r.String() + " names another authority"
	}
	for name, value := range r.parameters() {
		switch name {
		case "accounturi":
			if value != o.Account {
				return "the record " + r.String() + " allows another account alone"
			}
		case "validationmethods":
			if !slices.ContainsFunc(strings.Split(value, ","), func(m string) bool { return strings.TrimSpace(m) == o.Challenge }) {
				return "the record " + r.String() + " allows no validation by " + o.Challenge
			}
		}
	}
	return ""
}
