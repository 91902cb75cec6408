package setup

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"bitgate/internal/atomicfile"
	"bitgate/internal/problem"
	"bitgate/internal/splice"
)

// Order is what is ordered from an authority. It holds no secret: those are files.
type Order struct {
	Names      []string `json:"names"`
	Directory  string   `json:"directory"`
	Challenge  string   `json:"challenge"`
	KeyType    string   `json:"key-type"`
	Profile    string   `json:"profile,omitempty"`
	CAFile     string   `json:"ca-file,omitempty"`
	DNSHook    string   `json:"dns-hook,omitempty"`
	Terms      string   `json:"terms,omitempty"`
	Challenges string   `json:"challenges,omitempty"` // folder for the certificates of tls-alpn-01
}

// ObtainChange orders a certificate. What comes is kept in the store, and the
// CertificateChange behind it takes it from there.
type ObtainChange struct {
	Order
	Answer      []string `json:"answer,omitempty"`    // addresses where bitgate answers by itself meanwhile, for no front does yet
	Asked       []string `json:"asked,omitempty"`     // addresses of this machine where the front answers
	Rehearsal   string   `json:"rehearsal,omitempty"` // directory where the order is tried first
	BindingID   string   `json:"binding-id,omitempty"`
	BindingFile string   `json:"binding-file,omitempty"`
}

// RenewalChange is how the certificate is ordered from now on (nil: it no longer is),
// although none is ordered now. The run itself is all of the deed: renewals go by the
// Deployment of the last that stands.
type RenewalChange struct {
	Was   *Order `json:"was,omitempty"`
	Order *Order `json:"order,omitempty"`
}

// equal reports whether two orders are made in the same way, also where none is.
func (o *Order) equal(other *Order) bool {
	if o == nil || other == nil {
		return o == other
	}
	a, b := *o, *other
	a.Names, b.Names = nil, nil
	return slices.Equal(o.Names, other.Names) && reflect.DeepEqual(a, b)
}

// Ordered stands for the digest of a bundle that is still to be issued.
const Ordered = "ordered"

// unmade stands for the thumbprint of an account's key that the run will make: as long
// as one, and none.
const unmade = "0000000000000000000000000000000000000000000"

// NeedsAccount reports whether the plan waits for an account's key: see WithAccount.
func (p Plan) NeedsAccount() bool {
	return p.puts(unmade)
}

// puts reports whether the plan puts a text into a file.
func (p Plan) puts(text string) bool {
	return slices.ContainsFunc(p.Changes(), func(c Change) bool {
		return c.File != nil && slices.ContainsFunc(c.File.Splices, func(s splice.Splice) bool { return strings.Contains(s.New, text) })
	})
}

// WithAccount is the plan with the thumbprint of the account's key in its files. read
// gives a file's bytes as they are.
func (p Plan) WithAccount(thumbprint string, read func(path string) ([]byte, error)) (Plan, error) {
	out := p.Copy()
	now := map[string][]byte{}
	for _, c := range out.Changes() {
		e := c.File
		if e == nil {
			continue
		}
		data, known := now[e.Path]
		if !known {
			var err error
			if data, err = read(e.Path); err != nil {
				return p, err
			}
		} else {
			e.Before = atomicfile.Digest(data)
		}
		for i := range e.Splices {
			e.Splices[i].New = strings.ReplaceAll(e.Splices[i].New, unmade, thumbprint)
			e.Splices[i].Old = strings.ReplaceAll(e.Splices[i].Old, unmade, thumbprint)
		}
		after, err := splice.Apply(data, e.Splices)
		if err != nil {
			return p, problem.Wrap(err, e.Path+" is not the file this plan was made for", "", "make a new plan")
		}
		e.After, now[e.Path] = atomicfile.Digest(after), after
	}
	return out, nil
}

// WithIssued is the plan with the certificate that was issued: its bundle lies at path.
func (p Plan) WithIssued(path, digest, bundle string) Plan {
	out := p.Copy()
	for _, c := range out.Changes() {
		if c.Certificate != nil && c.Certificate.After == Ordered {
			c.Certificate.PEM, c.Certificate.After, c.Certificate.Sources = path, bundle, map[string]string{path: digest}
		}
	}
	return out
}

// Copy is a plan whose changes can be altered without altering p's.
func (p Plan) Copy() Plan {
	p.Steps = slices.Clone(p.Steps)
	for i := range p.Steps {
		changes := slices.Clone(p.Steps[i].Changes)
		for k, c := range changes {
			if c.File != nil {
				e := *c.File
				e.Splices = slices.Clone(e.Splices)
				changes[k].File = &e
			}
			if c.Certificate != nil {
				b := *c.Certificate
				changes[k].Certificate = &b
			}
			if c.KeyStore != nil {
				s := *c.KeyStore
				changes[k].KeyStore = &s
			}
		}
		p.Steps[i].Changes = changes
	}
	return p
}

func (r *RenewalChange) text() string {
	if r.Order == nil {
		return "have the certificate ordered no longer: it comes from files"
	}
	text := fmt.Sprintf("have renewals ordered from %s (%s", r.Order.Directory, r.Order.Challenge)
	for _, more := range [][2]string{{", hook ", r.Order.DNSHook}, {", trusting ", r.Order.CAFile}} {
		if more[1] != "" {
			text += more[0] + more[1]
		}
	}
	text += ")"
	if r.Was != nil {
		text += ", until now from " + r.Was.Directory + " (" + r.Was.Challenge + ")"
	}
	return text
}

func (o *ObtainChange) text() string {
	text := fmt.Sprintf("order a certificate for %s from %s (%s", strings.Join(o.Names, ", "), o.Directory, o.Challenge)
	if o.Profile != "" {
		text += ", profile " + o.Profile
	}
	text += ")"
	if len(o.Answer) > 0 {
		text += ", bitgate itself answering on " + strings.Join(o.Answer, ", ") + " meanwhile"
	}
	if o.Rehearsal != "" {
		text += ", after a rehearsal at " + o.Rehearsal
	}
	return text
}
