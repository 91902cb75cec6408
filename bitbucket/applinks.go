package bitbucket

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
)

// appLinks names the application links that must be re-pointed when the base
// URL changes. The resources differ by version and are not documented, so
// anything in the answer that has a name and an address counts.
func (s *Session) appLinks(ctx context.Context) []string {
	for _, path := range []string{"/rest/applinks/1.0/listApplicationlinks", "/rest/applinks/3.0/applinks"} {
		a, err := s.get(ctx, path, "application/json")
		if err != nil || a.status != http.StatusOK {
			continue
		}
		if links := parseAppLinks(a.body); len(links) > 0 {
			return links
		}
	}
	return nil
}

func parseAppLinks(body []byte) []string {
	var tree any
	if json.Unmarshal(body, &tree) != nil {
		return nil
	}
	var links []string
	collectLinks(tree, &links)
	slices.Sort(links)
	return slices.Compact(links)
}

func collectLinks(v any, links *[]string) {
	switch v := v.(type) {
	case []any:
		for _, child := range v {
			collectLinks(child, links)
		}
	case map[string]any:
		name, _ := v["name"].(string)
		for _, key := range []string{"displayUrl", "rpcUrl", "url"} {
			if address, _ := v[key].(string); name != "" && isWebAddress(address) {
				*links = append(*links, fmt.Sprintf("%s (%s)", name, address))
				return
			}
		}
		for _, child := range v {
			collectLinks(child, links)
		}
	}
}
