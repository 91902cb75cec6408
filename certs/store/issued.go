package store

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Issued is a generation that an authority has issued.
type Issued struct {
	Path string
	Made time.Time // zero where it is not known
}

// record is what is known of a generation beside its bundle.
type record struct {
	Format int       `json:"format"`
	Order  Order     `json:"order,omitzero"` // zero where none was made
	Made   time.Time `json:"made,omitzero"`
}

// Same reports whether what was issued for one order does for the other, however it was
// shown whose the name is.
func (o Order) Same(other Order) bool {
	kind := func(o Order) string { return cmp.Or(o.KeyType, string(ECDSA)) }
	return slices.Equal(o.Names, other.Names) && o.Directory == other.Directory && kind(o) == kind(other) && o.Profile == other.Profile
}

// AddIssued is Add for a bundle that was issued for an order.
func (s Store) AddIssued(host string, bundle []byte, order Order, now time.Time) error {
	_, err := s.add(host, bundle, record{Order: order, Made: now.UTC()})
	return err
}

// Issued lists the kept generations of host that were issued for such an order, the
// newest first. Those of before their orders were kept beside them are of State.Order.
func (s Store) Issued(host string, order Order) ([]Issued, error) {
	name, err := fileName(host)
	if err != nil {
		return nil, err
	}
	all, err := s.Generations(host)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	st, err := s.State(host)
	if err != nil {
		return nil, err
	}
	var out []Issued
	known := false
	for _, n := range all {
		var r record
		found, err := s.readJSON(&r, "names", name, recordFile(n))
		if err != nil {
			return nil, err
		}
		known = known || found
		if found && r.Order.Same(order) || !known && st.Order != nil && st.Order.Same(order) {
			out = append(out, Issued{Path: s.path("names", name, file(n)), Made: r.Made})
		}
	}
	slices.Reverse(out)
	return out, nil
}

func recordFile(generation int) string { return fmt.Sprintf("%06d.json", generation) }
