package store

import "time"

// State is what is remembered of a name's certificate between runs. Times are UTC.
type State struct {
	Format int    `json:"format"`
	Host   string `json:"host"`
	Order  *Order `json:"order,omitempty"` // of generations without a record of their own; written by versions of before

	Failures  int       `json:"failures,omitempty"` // since the last success
	LastTry   time.Time `json:"last-try,omitzero"`
	LastGood  time.Time `json:"last-good,omitzero"`
	NextTry   time.Time `json:"next-try,omitzero"` // not before, whatever else says
	LastError string    `json:"last-error,omitempty"`

	Renewal *Renewal `json:"renewal,omitempty"` // what the authority last said; nil for nothing
}

// Order is how a certificate is ordered by ACME. It holds no secret: those are files.
type Order struct {
	Names      []string `json:"names"`
	Directory  string   `json:"directory"`            // the authority's URL
	Challenge  string   `json:"challenge"`            // "http-01", "tls-alpn-01", "dns-01", "dns-persist-01"
	KeyType    string   `json:"key-type,omitempty"`   // a KeyType; "" is ECDSA
	Profile    string   `json:"profile,omitempty"`    // of the authority; "" for its default
	CAFile     string   `json:"ca-file,omitempty"`    // authorities to trust for the talk itself
	DNSHook    string   `json:"dns-hook,omitempty"`   // program that sets and removes the record of dns-01
	Terms      string   `json:"terms,omitempty"`      // the terms that were agreed to
	Challenges string   `json:"challenges,omitempty"` // folder that the built-in proxy reads tls-alpn-01's certificates from
}

// Renewal is renewal information (RFC 9773) with the time that was drawn from its
// window. It is drawn once and kept: a new one each hour would always be the earliest.
type Renewal struct {
	Leaf        string    `json:"leaf"` // hex SHA-256 of the certificate that it is about
	Selected    time.Time `json:"selected"`
	Start       time.Time `json:"start"`
	End         time.Time `json:"end"`
	AskAgain    time.Time `json:"ask-again"` // not before
	Explanation string    `json:"explanation,omitempty"`
	Unreached   string    `json:"unreached,omitempty"` // why the authority was not reached when it was last asked
}

// State is what is remembered of host; the zero State with its name where nothing is.
func (s Store) State(host string) (State, error) {
	name, err := fileName(host)
	if err != nil {
		return State{}, err
	}
	st := State{Format: format, Host: host}
	_, err = s.readJSON(&st, "names", name, "state.json")
	return st, err
}

// SaveState remembers st for its host.
func (s Store) SaveState(st State) error {
	name, err := fileName(st.Host)
	if err != nil {
		return err
	}
	st.Format = format
	return s.writeJSON(st, "names", name, "state.json")
}

// Hosts lists the names that something is kept for.
func (s Store) Hosts() ([]string, error) {
	dirs, err := s.list("names")
	var out []string
	for _, d := range dirs {
		var st State
		if found, err := s.readJSON(&st, "names", d, "state.json"); err != nil {
			return nil, err
		} else if found {
			out = append(out, st.Host)
		}
	}
	return out, err
}
