package config

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// TestReadmeNamesEveryKey: a setting that nobody can find is none.
func TestReadmeNamesEveryKey(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "## The built-in proxy's own settings\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for field := range reflect.TypeFor[Config]().Fields() {
		key, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		if key != "-" && !strings.Contains(section, "`"+key+"`") {
			t.Errorf("README.md does not name %s", key)
		}
	}
}
