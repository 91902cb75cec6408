package apply_test

import (
	"strings"
	"testing"

	"bitgate/bitbucket/bitbuckettest"
	"bitgate/setup"
	"bitgate/setup/apply"
)

// Undo cannot make browsers forget HSTS, and says so.
func TestUndoNamesWhatBrowsersRemember(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "9.4.16", setup.FrontBuiltin, bitbuckettest.Options{})
	p := m.checked()
	if _, err := m.applier().Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if found := apply.Remembered(p); len(found) > 0 {
		t.Errorf("without hsts: %v", found)
	}
	m.append("etc/proxy.yaml", "hsts: 8760h\n")
	found := apply.Remembered(p)
	if len(found) != 1 || !strings.Contains(found[0].Found, "hsts: 8760h") || !strings.Contains(found[0].Found, p.Answers.URL.Host()) || found[0].Do == "" {
		t.Errorf("with hsts: %v", found)
	}
}
