package acme

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"time"

	"github.com/mholt/acmez/v3/acme"

	"bitgate/certs/store"
)

// ErrNoRenewalInfo says that the authority does not tell when to renew; see certs/renewal.
var ErrNoRenewalInfo = errors.New("the authority has no renewal information")

// Bounds of how often renewal information is asked for (RFC 9773, 4.3.2; Let's
// Encrypt's integration guide asks for twice a day at least).
const (
	askSoonest = 5 * time.Minute
	askUsual   = 6 * time.Hour
	askLatest  = 12 * time.Hour
)

// RenewalInfo asks when leaf should be renewed (ARI, RFC 9773) and draws a time from
// the window. known is what was drawn before: while the window stays, so does the
// time. ErrNoRenewalInfo where the authority does not have it.
func (c *Client) RenewalInfo(ctx context.Context, leaf *x509.Certificate, known *store.Renewal) (store.Renewal, error) {
	if err := c.connect(); err != nil {
		return store.Renewal{}, err
	}
	ari, err := c.acme.GetRenewalInfo(ctx, leaf)
	if errors.Is(err, acme.ErrUnsupported) {
		return store.Renewal{}, ErrNoRenewalInfo
	}
	if err != nil {
		return store.Renewal{}, c.explain(err, "the authority does not say when to renew")
	}
	sum := sha256.Sum256(leaf.Raw)
	out := store.Renewal{
		Leaf: hex.EncodeToString(sum[:]), Selected: ari.SelectedTime.UTC(),
		Start: ari.SuggestedWindow.Start.UTC(), End: ari.SuggestedWindow.End.UTC(), Explanation: ari.ExplanationURL,
	}
	if known != nil && known.Leaf == out.Leaf && known.Start.Equal(out.Start) && known.End.Equal(out.End) {
		out.Selected = known.Selected
	}
	wait := askUsual
	if ari.RetryAfter != nil {
		wait = min(max(ari.RetryAfter.Sub(c.now()), askSoonest), askLatest)
	}
	out.AskAgain = c.now().Add(wait).UTC()
	return out, nil
}
