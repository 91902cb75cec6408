package bitbucket

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"bitgate/internal/problem"
)

// How a change of the settings ended where SetURLs returns an error. Without
// one of the last two in the error's chain nothing was changed.
var (
	ErrNotApplied = errors.New("the change was not applied")
	ErrApplied    = errors.New("the change was applied")
	ErrUnknown    = errors.New("whether the change was applied is not known")
)

// stillUnderWay: who stops waiting for an answer cannot know from the old
// value alone that the change will not be made a moment later.
func stillUnderWay(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.Is(err, context.Canceled) || errors.As(err, &timeout) && timeout.Timeout()
}

// said describes what became of the request, for a change that did not happen.
func said(a answer, err error) string {
	switch text := errorText(a.body); {
	case err != nil:
		return err.Error()
	case isXSRFRefusal(a):
		return "XSRF check failed: the connector believes it has another address than the one bitgate uses"
	case text != "":
		return fmt.Sprintf("HTTP %d, %q", a.status, text)
	case a.location() != nil:
		return fmt.Sprintf("HTTP %d to %s", a.status, a.location().Path)
	default:
		return fmt.Sprintf("HTTP %d", a.status)
	}
}

func notApplied(base string, want URLs, seen string) error {
	return problem.Wrap(ErrNotApplied, fmt.Sprintf("Bitbucket at %s did not take the new settings (%s)", base, seen),
		"the old ones still stand, as a look afterwards showed", byHandSteps(base, want))
}

func appliedOtherwise(base string, want URLs, names []string) error {
	return problem.Wrap(ErrApplied, fmt.Sprintf("Bitbucket at %s saved the settings, but not as sent: %s", base, strings.Join(names, ", ")),
		"", byHandSteps(base, want))
}

func unknownOutcome(base string, want URLs, cause error) error {
	return problem.Wrap(fmt.Errorf("%w: %w", ErrUnknown, cause), fmt.Sprintf("the new settings were sent to Bitbucket at %s, but could not be read back", base),
		"they may or may not have been saved", "look at the page, and if needed "+byHandSteps(base, want))
}

func othersChanged(base string, names []string) error {
	if len(names) == 0 {
		return nil
	}
	return problem.Wrap(ErrApplied, fmt.Sprintf("Bitbucket at %s saved the new address, but these settings differ from before: %s", base, strings.Join(names, ", ")),
		"the form was sent with every field as it was; somebody else may have changed them in the same moment",
		fmt.Sprintf("compare them on %s%s", base, settingsPage))
}

// withSteps replaces the advice of a page that cannot be used by the values to enter.
func withSteps(err error, do string) error {
	if p, is := errors.AsType[*problem.Error](err); is && p.Kind != problem.Credentials {
		copied := *p
		copied.Do = do
		return &copied
	}
	return err
}
