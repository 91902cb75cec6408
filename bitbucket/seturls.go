package bitbucket

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"bitgate/internal/pattern"
	"bitgate/internal/problem"
)

// readBackTimeout bounds the look at the outcome, which also happens after an
// interrupt: whoever undoes must know.
const readBackTimeout = 30 * time.Second

// URLs are the addresses that SetURLs sets.
type URLs struct {
	Base string  // "" leaves it as it is
	SSH  *string // nil leaves it as it is; "" empties the field, and Bitbucket makes one up
}

// SetURLs changes the base URL and the SSH base URL in one request, then reads
// everything back and compares every other field. An answer that gets lost is
// settled by reading; errors.Is with ErrApplied and ErrUnknown tells what an
// error means for the change.
func (s *Session) SetURLs(ctx context.Context, want URLs) error {
	if want.Base != "" && !isWebAddress(want.Base) {
		return problem.New(fmt.Sprintf("%q is not a base URL", want.Base), "", "give an absolute https:// address").WithKind(problem.Usage)
	}
	switch {
	case want == URLs{}:
		return nil
	case s.confAPI && want.SSH == nil:
		return s.setConfAPI(ctx, want)
	case s.method == MethodConfAPI:
		return noSSHByConfAPI()
	}
	return s.setForm(ctx, want)
}

func noSSHByConfAPI() error {
	return problem.New("the ConfAPI plugin cannot change the SSH base URL", "", "use --base-url-method auto or form").WithKind(problem.Usage)
}

// readForm GETs the page and finds the settings form in it.
func (s *Session) readForm(ctx context.Context) (form, int, answer, error) {
	a, err := s.page(ctx, settingsPage)
	if err != nil {
		return form{}, -1, a, err
	}
	f, index, err := settingsForm(a.url, a.body)
	if err != nil {
		return form{}, -1, a, cannotUseForm(s.base(), URLs{}, err)
	}
	return f, index, a, nil
}

// edit is the form with the wanted values, and the names of the fields that differ.
func (f form) edit(index int, want URLs) (form, []string, error) {
	edited := f
	edited.fields = slices.Clone(f.fields)
	var changed []string
	set := func(i int, value string) {
		if edited.fields[i].value != value {
			edited.fields[i].value = value
			changed = append(changed, edited.fields[i].name)
		}
	}
	if want.Base != "" {
		set(index, want.Base)
	}
	if want.SSH != nil {
		i, err := f.textField(true)
		if err != nil {
			return form{}, nil, err
		}
		set(i, *want.SSH)
	}
	return edited, changed, nil
}

func (s *Session) setForm(ctx context.Context, want URLs) error {
	before, index, _, err := s.readForm(ctx)
	if err != nil {
		return withSteps(err, byHandSteps(s.base(), want))
	}
	wanted, changed, err := before.edit(index, want)
	if err != nil {
		return cannotUseForm(s.base(), want, err)
	}
	if len(changed) == 0 {
		return nil
	}
	a, sendErr := s.postSettings(ctx, wanted, before.fields[index].value)
	after, cancel := readBack(ctx)
	defer cancel()
	now, _, _, err := s.readForm(after)
	switch {
	case err != nil:
		return unknownOutcome(s.base(), want, cmp.Or(sendErr, err))
	case len(wanted.differences(now, changed, true)) == 0:
		return othersChanged(s.base(), wanted.differences(now, changed, false))
	case len(before.differences(now, changed, true)) > 0:
		return appliedOtherwise(s.base(), want, wanted.differences(now, changed, true))
	case stillUnderWay(sendErr):
		return unknownOutcome(s.base(), want, sendErr)
	}
	return notApplied(s.base(), want, said(a, sendErr))
}

// postSettings sends the form. An XSRF refusal means that Bitbucket takes
// itself for another address and has changed nothing; then the origin of the
// stored base URL is tried, which is the front's when undoing.
func (s *Session) postSettings(ctx context.Context, f form, storedURL string) (answer, error) {
	origins := []string{s.origin(ctx), originOf(s.client.base)}
	if u, err := url.Parse(storedURL); err == nil && isWebAddress(storedURL) {
		origins = append(origins, originOf(u))
	}
	path, ok := s.within(f.action)
	if !ok {
		return answer{}, problem.New("the form's address "+f.action.Path+" lies outside Bitbucket's context path", "", "check the context path")
	}
	var a answer
	var err error
	for i, origin := range origins {
		if slices.Contains(origins[:i], origin) {
			continue
		}
		if a, err = s.post(ctx, path, origin, f.encode()); err != nil || !isXSRFRefusal(a) {
			break
		}
	}
	return a, err
}

// perRequest names fields that are new in every page.
var perRequest = pattern.Lazy(`(?i)(token|nonce|csrf|xsrf)`)

// differences lists the names of the fields whose values are not the same in
// both forms: only those in names, or only all the others.
func (f form) differences(other form, names []string, within bool) []string {
	mine, theirs := f.values(), other.values()
	var all []string
	for _, c := range append(slices.Clone(f.fields), other.fields...) {
		if !slices.Contains(all, c.name) && slices.Contains(names, c.name) == within &&
			(c.kind != "hidden" || !perRequest().MatchString(c.name)) {
			all = append(all, c.name)
		}
	}
	return slices.DeleteFunc(all, func(name string) bool {
		return slices.EqualFunc(mine[name], theirs[name], func(a, b string) bool { return a == b || within && SameURL(a, b) })
	})
}

func (f form) values() map[string][]string {
	values := map[string][]string{}
	for _, c := range f.fields {
		values[c.name] = append(values[c.name], c.value)
	}
	return values
}

// SameURL forgives a final slash, which Bitbucket takes away.
func SameURL(a, b string) bool { return strings.TrimRight(a, "/") == strings.TrimRight(b, "/") }

func readBack(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), readBackTimeout)
}
