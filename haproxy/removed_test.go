package haproxy

import (
	"strings"
	"testing"
)

func TestInstead(t *testing.T) {
	src := Source{Path: cfg, Data: []byte("frontend a\n  reqadd X-A:\\ b\n  option forceclose\n  option httplog\n  stick store-response set-cookie(x)\n\n  appsession x len 9 timeout 1h # gone\n")}
	for line, want := range map[int]string{1: "", 2: "http-request add-header", 3: "option httpclose", 4: "", 5: "res.cook(NAME)", 6: "", 7: "cookie NAME prefix", 0: "", 8: ""} {
		if got := ParseSet([]Source{src}).Instead(cfg, line); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("line %d: %q, want %q", line, got, want)
		}
	}
}
