package templates

import (
	"strings"
	"testing"
)

func TestSystemdUnit(t *testing.T) {
	text, err := SystemdUnit(Unit{Program: "/usr/local/bin/bitgate", Config: "/etc/bitgate/proxy.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text, "\nExecStart=/usr/local/bin/bitgate proxy --config /etc/bitgate/proxy.yaml\n") {
		t.Errorf("no start line in:\n%s", text)
	}
	for _, bad := range []string{"bitgate", "/opt/my tools/bitgate", "/opt/%n", "/a\nUser=root"} {
		if _, err := SystemdUnit(Unit{Program: bad, Config: "/c"}); err == nil {
			t.Errorf("%q went into a unit", bad)
		}
	}
}
