package bitbucket

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// ErrNotTold says that the instance answers, and does not tell its base URL to everybody.
var ErrNotTold = errors.New("the applinks manifest is not served to anonymous clients")

// PublicBaseURL reads the base URL anonymously from the manifest that
// application links exchange, version 1.0 and then 3.0 of that resource. The error
// is ErrNotTold, or says why Bitbucket could not be asked.
func (c *Client) PublicBaseURL(ctx context.Context) (string, error) {
	why := ErrNotTold
	for _, version := range []string{"1.0", "3.0"} {
		a, err := c.get(ctx, "/rest/applinks/"+version+"/manifest", "application/json, application/xml;q=0.9")
		if err == nil && a.status == http.StatusOK {
			if baseURL, known := parseManifest(a.body); known {
				return baseURL, nil
			}
		}
		if err == nil && (a.status >= 500 || a.status == http.StatusTooManyRequests) {
			err = fmt.Errorf("%s answers HTTP %d", a.url, a.status)
		}
		if err != nil {
			why = err
		}
	}
	return "", why
}

// parseManifest takes the url out of a manifest, XML or JSON.
func parseManifest(body []byte) (string, bool) {
	var manifest struct {
		XMLName xml.Name `xml:"manifest" json:"-"`
		URL     string   `xml:"url" json:"url"`
	}
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))
	var err error
	if bytes.HasPrefix(body, []byte("{")) {
		err = json.Unmarshal(body, &manifest)
	} else {
		err = xml.Unmarshal(body, &manifest)
	}
	text := strings.TrimSpace(manifest.URL)
	return text, err == nil && isWebAddress(text)
}

// maxURL is the longest address that is taken from Bitbucket, in bytes: it goes
// into plans and journals, onto screens and back into a form.
const maxURL = 2 << 10

// isWebAddress accepts an absolute http or https URL without user info.
func isWebAddress(text string) bool {
	if len(text) > maxURL {
		return false
	}
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil
}
