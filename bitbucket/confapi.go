package bitbucket

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"bitgate/internal/problem"
)

// confAPIPath is the settings resource of the third-party plugin "ConfAPI for
// Bitbucket" (aservo/confapi-bitbucket-plugin); system administrators only.
const confAPIPath = "/rest/confapi/1/settings"

// bean is the resource as it came: members bitgate does not know survive.
type bean map[string]json.RawMessage

func (b bean) baseURL() (url string, ok bool) {
	return url, json.Unmarshal(b["baseUrl"], &url) == nil && len(b["baseUrl"]) > 0
}

// readConfAPI asks the plugin. ok is false where it is not installed; an error
// says so too, or that the account may not use it.
func (s *Session) readConfAPI(ctx context.Context) (b bean, ok bool, err error) {
	a, err := s.get(ctx, confAPIPath, "application/json")
	if err != nil {
		return nil, false, err
	}
	if p := refusalIn(a, s.base(), s.user); p != nil {
		return nil, false, p
	}
	if a.status == http.StatusUnauthorized || a.status == http.StatusForbidden || leadsTo(a.location(), "login") {
		return nil, false, notAdmin(s.base(), s.user)
	}
	if a.status == http.StatusOK && json.Unmarshal(a.body, &b) == nil {
		if _, ok = b.baseURL(); ok {
			return b, true, nil
		}
	}
	return nil, false, problem.New(fmt.Sprintf("%s answers HTTP %d: the ConfAPI plugin is not installed", a.url, a.status), "",
		"use --base-url-method auto or form")
}

// setConfAPI sends the bean back with the new base URL.
func (s *Session) setConfAPI(ctx context.Context, want URLs) error {
	before, ok, err := s.readConfAPI(ctx)
	if !ok {
		return err
	}
	if now, _ := before.baseURL(); now == want.Base {
		return nil
	}
	wanted := maps.Clone(before)
	if wanted["baseUrl"], err = json.Marshal(want.Base); err != nil {
		return err
	}
	body, err := json.Marshal(wanted)
	if err != nil {
		return err
	}
	req, err := s.request(ctx, http.MethodPut, confAPIPath, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.GetBody = nil
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("X-Atlassian-Token", "no-check")
	a, sendErr := s.send(req)

	after, cancel := readBack(ctx)
	defer cancel()
	now, ok, readErr := s.readConfAPI(after)
	got, _ := now.baseURL()
	old, _ := before.baseURL()
	switch {
	case !ok:
		return unknownOutcome(s.base(), want, cmp.Or(sendErr, readErr))
	case SameURL(got, want.Base):
	case !SameURL(got, old):
		return appliedOtherwise(s.base(), want, []string{"baseUrl"})
	case stillUnderWay(sendErr):
		return unknownOutcome(s.base(), want, sendErr)
	default:
		return notApplied(s.base(), want, said(a, sendErr))
	}
	delete(now, "baseUrl")
	delete(before, "baseUrl")
	var changed []string
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if !bytes.Equal(before[name], now[name]) {
			changed = append(changed, name)
		}
	}
	return othersChanged(s.base(), changed)
}
