package bitbucket

import (
	"strings"
	"testing"
)

// TestAddressesFromBitbucketAreShort: a base URL goes into journals and plans.
func TestAddressesFromBitbucketAreShort(t *testing.T) {
	for n, want := range map[int]bool{maxURL - 30: true, maxURL + 1: false, 200_000: false} {
		body := `{"url":"http://git.example.com/` + strings.Repeat("&", n) + `"}`
		if _, known := parseManifest([]byte(body)); known != want {
			t.Errorf("%d bytes: taken %v", n, known)
		}
	}
}
