package bitbucket

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"bitgate/internal/problem"
)

// AppLink is an application link, as one side keeps it of the other.
type AppLink struct {
	Name    string
	Type    string // "jira", "bamboo", "stash" (that is Bitbucket); "" where it is not said
	Display string // Display URL, for people
	RPC     string // Application URL, for the application itself; "" where it is not said
}

// String is e.g. "Jira (https://jira.example.com)".
func (l AppLink) String() string { return fmt.Sprintf("%s (%s)", l.Name, l.Display) }

// Server is the address under which this machine should find the application.
func (l AppLink) Server() string { return strings.TrimSuffix(cmp.Or(l.RPC, l.Display), "/") }

// Cure says where on the other side the link to base is kept, and what must stand
// there. Every Atlassian product has the page, for it is the plugin's own. It lets the
// Application URL be edited, or, once the old one does not answer, the link be relocated.
func (l AppLink) Cure(base string) string { return AppLinks{l}.Cures(base) }

// page is where the other side lists its links.
func (l AppLink) page() string {
	return strings.TrimSuffix(l.Display, "/") + "/plugins/servlet/applinks/listApplicationLinks"
}

// AppLinks are those of one application.
type AppLinks []AppLink

// String names them in a sentence.
func (all AppLinks) String() string {
	var out []string
	for _, l := range all {
		out = append(out, l.String())
	}
	return strings.Join(out, ", ")
}

// Cures are those of all links in one sentence.
func (all AppLinks) Cures(base string) string {
	var pages []string
	for _, l := range all {
		pages = append(pages, l.page())
	}
	return fmt.Sprintf("open %s and set Application URL and Display URL of the link to Bitbucket to %s (edit it, relocate it, or create it anew)",
		strings.Join(pages, " and "), base)
}

// linkResources list the links. They differ by version and are not documented, so
// anything in the answer that has a name and an address counts.
var linkResources = []string{"/rest/applinks/1.0/listApplicationlinks", "/rest/applinks/3.0/applinks"}

// appLinks are the links of Bitbucket that must be re-pointed when the base URL changes.
func (s *Session) appLinks(ctx context.Context) AppLinks {
	for _, path := range linkResources {
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

// LinksToBitbucket asks another application, whose base the client has, for its links
// to a Bitbucket. It sends the password as an HTTP Basic header, once a resource, and
// never in clear text to another machine.
func (c *Client) LinksToBitbucket(ctx context.Context, user string, password Secret) ([]AppLink, error) {
	for _, path := range linkResources {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.at(path).String(), nil)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Accept", "application/json")
		req.SetBasicAuth(user, string(password.Reveal()))
		a, err := send(c.cred, req)
		if err != nil {
			return nil, err
		}
		_, locked := captchaIn(a)
		switch {
		case locked:
			return nil, problem.New(fmt.Sprintf("%s wants a CAPTCHA from %s", c.Base(), user), "", "")
		case a.status == http.StatusUnauthorized, a.status == http.StatusForbidden:
			return nil, problem.New(fmt.Sprintf("%s refuses %s (HTTP %d)", c.Base(), user, a.status), "", "")
		case a.status != http.StatusOK:
			continue
		}
		return slices.DeleteFunc(parseAppLinks(a.body), func(l AppLink) bool { return l.Type != "" && l.Type != "stash" && l.Type != "bitbucket" }), nil
	}
	return nil, problem.New(c.Base()+" does not list its application links", "", "")
}

func parseAppLinks(body []byte) []AppLink {
	var tree any
	if json.Unmarshal(body, &tree) != nil {
		return nil
	}
	var links []AppLink
	collectLinks(tree, &links)
	slices.SortFunc(links, func(a, b AppLink) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Display, b.Display)) })
	return slices.Compact(links)
}

func collectLinks(v any, links *[]AppLink) {
	switch v := v.(type) {
	case []any:
		for _, child := range v {
			collectLinks(child, links)
		}
	case map[string]any:
		address := func(key string) string {
			if text, _ := v[key].(string); isWebAddress(text) {
				return text
			}
			return ""
		}
		l := AppLink{RPC: address("rpcUrl")}
		l.Name, _ = v["name"].(string)
		l.Type, _ = v["typeId"].(string)
		if l.Display = cmp.Or(address("displayUrl"), l.RPC, address("url")); l.Name != "" && l.Display != "" {
			*links = append(*links, l)
			return
		}
		for _, child := range v {
			collectLinks(child, links)
		}
	}
}
