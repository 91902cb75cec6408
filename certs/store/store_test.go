package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bitgate/internal/atomicfile"
)

func trustedDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestNothingBeforeSomething: looking at a store makes none.
func TestNothingBeforeSomething(t *testing.T) {
	s := Store{StateDir: trustedDir(t)}
	key, err := s.AccountKey()
	_, known, errA := s.Account("https://ca.example/dir")
	gens, errG := s.Generations("git.example.com")
	st, errS := s.State("git.example.com")
	hosts, errH := s.Hosts()
	if err := errors.Join(err, errA, errG, errS, errH); err != nil {
		t.Fatal(err)
	}
	if key != nil || known || gens != nil || hosts != nil || st.Host != "git.example.com" {
		t.Error(key, known, gens, hosts, st)
	}
	if left, _ := os.ReadDir(s.StateDir); len(left) != 0 {
		t.Errorf("looking made %v", left)
	}
}

func TestAccountKeyIsMadeOnceAndPrivate(t *testing.T) {
	s := Store{StateDir: trustedDir(t)}
	one, err := s.EnsureAccountKey()
	if err != nil {
		t.Fatal(err)
	}
	two, err := s.EnsureAccountKey()
	if err != nil {
		t.Fatal(err)
	}
	if a, b := mustID(t, one.Public()), mustID(t, two.Public()); a != b {
		t.Errorf("a second key was made: %s, %s", a, b)
	}
	for path, mode := range map[string]fs.FileMode{s.path("account.key"): 0o600, s.path(): fs.ModeDir | 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v, want %v", path, info.Mode(), err, mode)
		}
	}
}

// TestOthersCannotPlantKeys: a folder that others can write to is neither read nor
// written, at any level.
func TestOthersCannotPlantKeys(t *testing.T) {
	for _, level := range []string{"", "names", "names/git.example.com"} {
		s := Store{StateDir: trustedDir(t)}
		if _, err := s.Add("git.example.com", []byte("bundle")); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(s.path(level), 0o777); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Bundle("git.example.com", 1); err == nil || !strings.Contains(err.Error(), "cannot be trusted") {
			t.Errorf("%q: read: %v", level, err)
		}
		if _, err := s.Add("git.example.com", []byte("other")); err == nil || !strings.Contains(err.Error(), "cannot be trusted") {
			t.Errorf("%q: written: %v", level, err)
		}
	}
}

func TestKeyWaitsForItsCertificate(t *testing.T) {
	for _, kind := range []KeyType{ECDSA, RSA} {
		s := Store{StateDir: trustedDir(t)}
		key, err := NewKey(kind)
		if err != nil {
			t.Fatal(err)
		}
		other, _ := NewKey(ECDSA)
		id, err := s.AddKey(key)
		if err != nil {
			t.Fatal(err)
		}
		back, err := s.Key(key.Public())
		if err != nil || back == nil || mustID(t, back.Public()) != id {
			t.Fatalf("%s: %v, %v", kind, back, err)
		}
		if none, err := s.Key(other.Public()); none != nil || err != nil {
			t.Error(none, err)
		}
		if ids, err := s.Keys(); err != nil || !slices.Equal(ids, []string{id}) {
			t.Error(ids, err)
		}
		if had, err := s.DropKey(key.Public()); err != nil || !had {
			t.Fatal(had, err)
		}
		if had, err := s.DropKey(key.Public()); err != nil || had {
			t.Error(had, err)
		}
		if ids, err := s.Keys(); err != nil || len(ids) != 0 {
			t.Error(ids, err)
		}
	}
}

// TestGenerationsArePruned: the newest stay, an equal one is no new one, and names
// that are addresses or wildcards have a folder of their own.
func TestGenerationsArePruned(t *testing.T) {
	s := Store{StateDir: trustedDir(t)}
	for _, host := range []string{"git.example.com", "*.example.com", "2001:db8::1"} {
		for i := 1; i <= 5; i++ {
			for range 2 {
				n, err := s.Add(host, fmt.Appendf(nil, "%s %d", host, i))
				if err != nil || n != i {
					t.Fatalf("%s: generation %d, %v, want %d", host, n, err, i)
				}
			}
		}
		gens, err := s.Generations(host)
		if err != nil || !slices.Equal(gens, []int{3, 4, 5}) {
			t.Errorf("%s: %v, %v", host, gens, err)
		}
		if data, err := s.Bundle(host, gens[len(gens)-1]); err != nil || string(data) != host+" 5" {
			t.Errorf("%s: newest is %q, %v", host, data, err)
		}
	}
	for _, host := range []string{"", "..", "a/b", "."} {
		if _, err := s.Add(host, nil); err == nil {
			t.Errorf("kept for %q", host)
		}
	}
}

// TestGenerationsOfAnOrder: those alone that were issued for such an order, however it was
// shown whose the name is; those of before records were kept are of the state's order; one
// that was imported is of none, nor is it what a crash left a record for.
func TestGenerationsOfAnOrder(t *testing.T) {
	s := Store{StateDir: trustedDir(t)}
	const host = "git.example.com"
	at := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	a := Order{Names: []string{host}, Directory: "https://a.test/", Challenge: "http-01"}
	b, shown := a, a
	b.Directory = "https://b.test/"
	shown.Challenge, shown.DNSHook, shown.KeyType = "dns-01", "/hook", "ecdsa"
	step := func(what string, do error, wantA, wantB string) {
		t.Helper()
		if do != nil {
			t.Fatal(what, do)
		}
		for want, order := range map[string]Order{"a " + wantA: a, "shown " + wantA: shown, "b " + wantB: b} {
			all, err := s.Issued(host, order)
			got, _, _ := strings.Cut(want, " ")
			for _, one := range all {
				got += " " + strings.TrimLeft(strings.TrimSuffix(filepath.Base(one.Path), ".pem"), "0")
			}
			if err != nil || got != strings.TrimSpace(want) {
				t.Errorf("%s: %q, %v, want %q", what, got, err, want)
			}
		}
	}
	add := func(n int) error { _, err := s.Add(host, fmt.Appendf(nil, "%d", n)); return err }
	step("of before", errors.Join(add(1), os.Remove(s.path("names", host, "000001.json")), s.SaveState(State{Host: host, Order: &a})), "1", "")
	step("of b", s.AddIssued(host, []byte("2"), b, at), "1", "2")
	step("imported", errors.Join(s.writeJSON(record{Format: format, Order: a, Made: at}, "names", host, "000003.json"), add(3)), "1", "2")
	step("of a", s.AddIssued(host, []byte("4"), a, at), "4", "2")
	step("again", s.AddIssued(host, []byte("5"), shown, at), "5 4", "")
	all, err := s.Issued(host, a)
	if err != nil || !all[0].Made.Equal(at) {
		t.Error(all, err)
	}
	if left, _ := filepath.Glob(s.path("names", host, "*.json")); len(left) != 4 { // and the state
		t.Error(left)
	}
}

func TestStateAndAccountsComeBack(t *testing.T) {
	s := Store{StateDir: trustedDir(t)}
	at := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	want := State{
		Format: 1, Host: "git.example.com", Failures: 2, NextTry: at, LastError: "rate limited",
		Order: &Order{Names: []string{"git.example.com"}, Directory: "https://ca.example/dir", Challenge: "http-01"}, Renewal: &Renewal{Leaf: "00", Selected: at, Start: at, End: at, AskAgain: at},
	}
	if err := s.SaveState(want); err != nil {
		t.Fatal(err)
	}
	got, err := s.State("git.example.com")
	if err != nil || fmt.Sprintf("%+v %+v", *got.Order, *got.Renewal) != fmt.Sprintf("%+v %+v", *want.Order, *want.Renewal) || got.Failures != 2 || !got.NextTry.Equal(at) {
		t.Errorf("%+v, %v", got, err)
	}
	if hosts, err := s.Hosts(); err != nil || !slices.Equal(hosts, []string{"git.example.com"}) {
		t.Error(hosts, err)
	}
	a := Account{Directory: "https://ca.example/dir", URL: "https://ca.example/acct/1", Key: "k", Made: at}
	if err := s.SaveAccount(a); err != nil {
		t.Fatal(err)
	}
	a.Format = 1
	if back, found, err := s.Account(a.Directory); err != nil || !found || back != a {
		t.Errorf("%+v, %v, %v", back, found, err)
	}
	if _, found, _ := s.Account("https://ca.example/other"); found {
		t.Error("an account at another authority was taken for this one")
	}
	if err := os.WriteFile(s.path("names", "git.example.com", "state.json"), []byte(`{"format":9}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.State("git.example.com"); err == nil || !strings.Contains(err.Error(), "another version") {
		t.Error(err)
	}
}

// TestFailedWriteLeavesTheOldOne fails each file operation of a replacement.
func TestFailedWriteLeavesTheOldOne(t *testing.T) {
	dir := trustedDir(t)
	s := Store{StateDir: dir}
	if err := s.SaveState(State{Host: "a.example", Failures: 1}); err != nil {
		t.Fatal(err)
	}
	path := s.path("names", "a.example", "state.json")
	before, _ := os.ReadFile(path)
	for n := 1; ; n++ {
		count := 0
		failed := Store{StateDir: dir, Writer: atomicfile.Writer{Fault: func(op atomicfile.Op, _ string) error {
			if count++; count == n && op != atomicfile.OpSyncDir {
				return fs.ErrPermission
			}
			return nil
		}}}
		err := failed.SaveState(State{Host: "a.example", Failures: 2})
		if count < n {
			break
		}
		if err == nil {
			continue // the last sync
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
			t.Fatalf("operation %d: %s", n, after)
		}
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), atomicfile.TempPrefix+"*")); left != nil {
			t.Fatalf("operation %d left %v", n, left)
		}
	}
}

func mustID(t *testing.T, public any) string {
	t.Helper()
	id, err := KeyID(public)
	if err != nil {
		t.Fatal(err)
	}
	return id
}
