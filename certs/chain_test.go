package certs

import (
	"crypto"
	"crypto/x509"
	"slices"
	"testing"
)

// Of an authority that two others signed, the one goes into the bundle that leads to
// a root clients have, wherever it stands in the file and however far up the paths part.
func TestCrossSignedAuthority(t *testing.T) {
	known, foreign := issue(t, nil, nil, authority("Known")), issue(t, nil, nil, authority("Foreign"))
	key := ecdsaKey(t)
	good, bad := issue(t, &known, key, authority("Outer")), issue(t, &foreign, key, authority("Outer"))
	inner := issue(t, &good, nil, authority("Inner"))
	near, far := issue(t, &good, nil, nil), issue(t, &inner, nil, nil)
	roots := x509.NewCertPool()
	roots.AddCert(known.cert)
	for name, c := range map[string]struct {
		leaf signer
		file []*x509.Certificate
		want []*x509.Certificate
	}{
		"foreign one first":             {near, []*x509.Certificate{near.cert, bad.cert, good.cert}, []*x509.Certificate{good.cert}},
		"known one first":               {near, []*x509.Certificate{near.cert, good.cert, bad.cert}, []*x509.Certificate{good.cert}},
		"the paths part further up":     {far, []*x509.Certificate{bad.cert, far.cert, inner.cert, good.cert}, []*x509.Certificate{inner.cert, good.cert}},
		"the foreign root is there too": {near, []*x509.Certificate{near.cert, foreign.cert, bad.cert, good.cert}, []*x509.Certificate{good.cert}},
		"none leads to a known root":    {near, []*x509.Certificate{near.cert, bad.cert}, []*x509.Certificate{bad.cert}},
	} {
		t.Run(name, func(t *testing.T) {
			m := &Material{leaf: c.leaf.cert}
			m.follow(c.file, func(sent []*x509.Certificate) bool { return m.verify(now, roots, sent) == nil })
			if !slices.EqualFunc(m.intermediates, c.want, (*x509.Certificate).Equal) {
				t.Errorf("goes into the bundle: %v", subjects(m.intermediates))
			}
		})
	}
}

// A file of authorities that have all signed each other keeps nobody waiting.
func TestManyCrossSignedAuthorities(t *testing.T) {
	var keys []crypto.Signer
	var all []*x509.Certificate
	for range 3 {
		keys = append(keys, ecdsaKey(t))
	}
	names := []string{"A", "B", "C"}
	leaf := issue(t, &signer{issue(t, nil, keys[0], authority("A")).cert, keys[0]}, nil, nil)
	for i := range names {
		for j := range names {
			if i != j {
				by := issue(t, nil, keys[j], authority(names[j]))
				all = append(all, issue(t, &by, keys[i], authority(names[i])).cert)
			}
		}
	}
	tries := 0
	m := &Material{leaf: leaf.cert}
	m.follow(all, func([]*x509.Certificate) bool { tries++; return false })
	if tries < 2 || tries > maxPaths {
		t.Errorf("%d paths were tried, not 2 to %d", tries, maxPaths)
	}
}

func subjects(list []*x509.Certificate) []string {
	var out []string
	for _, c := range list {
		out = append(out, c.Subject.CommonName+" by "+c.Issuer.CommonName)
	}
	return out
}
