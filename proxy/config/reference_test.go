package config

import (
	"reflect"
	"strings"
	"testing"
)

// TestSettingsNameEveryKey: a setting that nobody can find is none.
func TestSettingsNameEveryKey(t *testing.T) {
	var all strings.Builder
	for _, s := range Settings() {
		all.WriteString(s.Keys + s.What)
	}
	for field := range reflect.TypeFor[Config]().Fields() {
		key, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		if key != "-" && !strings.Contains(all.String(), "`"+key+"`") {
			t.Errorf("the reference does not name %s", key)
		}
	}
}
