package live_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bitgate/haproxy/live"
)

// TestCheckMakesNoAccountKey: a program that makes the account key as HAProxy 3.2 does
// is not asked while the key is missing, and is when it is there.
func TestCheckMakesNoAccountKey(t *testing.T) {
	for _, named := range []bool{true, false} {
		dir := t.TempDir()
		key, line := filepath.Join(dir, "LE.account.key"), ""
		if named {
			key = filepath.Join(dir, "other.key")
			line = "    account-key " + key + "\n"
		}
		bin := filepath.Join(dir, "haproxy")
		if err := os.WriteFile(bin, []byte("#!/bin/sh\ntouch "+key+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		set := []live.Candidate{{Path: "/etc/haproxy/haproxy.cfg", Data: []byte("global\n    expose-experimental-directives\nacme LE\n    directory https://ca.test/dir\n" + line + "frontend www\n    account-key nothing\n")}}
		s := live.Service{Dir: dir}
		if _, err := s.Check(t.Context(), bin, set, nil); err == nil || !strings.Contains(err.Error(), "would make "+key) {
			t.Errorf("named %v: %v", named, err)
		}
		if _, err := os.Stat(key); err == nil {
			t.Errorf("named %v: the key was made", named)
		}
		if err := os.WriteFile(key, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if report, err := s.Check(t.Context(), bin, set, nil); err != nil || !report.OK {
			t.Errorf("named %v, with the key: %+v, %v", named, report, err)
		}
	}
}
