package store

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Kept is how many generations of a name's bundle stay: the one that serves, the one
// to go back to, and one more. Older private keys are wiped.
const Kept = 3

// Add keeps a bundle (leaf, chain, key in PEM) as the newest generation of host, and
// removes those beyond Kept. A bundle that is the newest already is not added again.
func (s Store) Add(host string, bundle []byte) (generation int, err error) {
	return s.add(host, bundle, record{})
}

// add writes what is known of the bundle before it: a crash in between leaves no
// generation of which that is not known.
func (s Store) add(host string, bundle []byte, known record) (generation int, err error) {
	name, err := fileName(host)
	if err != nil {
		return 0, err
	}
	all, err := s.Generations(host)
	if err != nil {
		return 0, err
	}
	generation = 1
	if n := len(all); n > 0 {
		generation = all[n-1] + 1
		last, err := s.Bundle(host, all[n-1])
		if err != nil {
			return 0, err
		}
		defer clear(last)
		if slices.Equal(last, bundle) {
			return all[n-1], nil
		}
	}
	known.Format = format
	if err := s.writeJSON(known, "names", name, recordFile(generation)); err != nil {
		return 0, err
	}
	if err := s.write(bundle, "names", name, file(generation)); err != nil {
		return 0, err
	}
	for len(all) >= Kept {
		if err := s.wipe("names", name, file(all[0])); err != nil {
			return generation, err
		}
		if err := s.remove("names", name, recordFile(all[0])); err != nil {
			return generation, err
		}
		all = all[1:]
	}
	return generation, nil
}

// Generations lists the kept generations of host, oldest first.
func (s Store) Generations(host string) ([]int, error) {
	name, err := fileName(host)
	if err != nil {
		return nil, err
	}
	files, err := s.list("names", name)
	var out []int
	for _, f := range files {
		if n, err := strconv.Atoi(strings.TrimSuffix(f, ".pem")); err == nil && file(n) == f {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out, err
}

// Bundle is one generation of host's bundle, nil where it is not kept. Secret bytes.
func (s Store) Bundle(host string, generation int) ([]byte, error) {
	name, err := fileName(host)
	if err != nil {
		return nil, err
	}
	return s.read("names", name, file(generation))
}

func file(generation int) string { return fmt.Sprintf("%06d.pem", generation) }

// wipe overwrites a private key before its name goes, for file systems that write in place.
func (s Store) wipe(elem ...string) error {
	data, err := s.read(elem...)
	if err != nil {
		return err
	}
	defer clear(data)
	if err := overwrite(s.path(elem...), len(data)); err != nil {
		return err
	}
	return s.remove(elem...)
}
