package bitbucket

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"

	"bitgate/internal/problem"
)

// State is what {context}/status says.
type State string

// States, as Atlassian's page on monitoring lists them.
const (
	Running     State = "RUNNING"
	FirstRun    State = "FIRST_RUN"
	Starting    State = "STARTING"
	Maintenance State = "MAINTENANCE"
	Stopping    State = "STOPPING"
	StateError  State = "ERROR"
	Unreachable State = "UNREACHABLE" // nothing answers, or not as Bitbucket does
	Silent      State = "SILENT"      // of Look: nothing answered in time, and nothing refused
)

// Runs reports whether people can work, or set it up.
func (s State) Runs() bool { return s == Running || s == FirstRun }

// Busy states end by themselves.
func (s State) Busy() bool { return s == Starting || s == Stopping || s == Maintenance }

// Serves reports whether {context}/status answers 200 (Atlassian KB 975014635),
// so that a front's checks forward to it. An instance in maintenance must be
// reached too.
func (s State) Serves() bool { return s.Runs() || s == Maintenance }

// Status asks {base}/status, for at most ten seconds. Unreachable means: no
// such answer; the string then says why, else it is the HTTP status. The state
// counts, not the HTTP status: STARTING comes with 503, ERROR with 500.
func (c *Client) Status(ctx context.Context) (State, string) {
	state, detail := c.Look(ctx)
	if state == Silent {
		state = Unreachable
	}
	return state, detail
}

// Look is Status for those who would restart what is not there: one that did not
// answer in time is Silent, for it may be in the middle of a start or a backup.
func (c *Client) Look(ctx context.Context) (State, string) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	a, err := c.get(ctx, "/status", "application/json")
	if late, is := errors.AsType[net.Error](err); is && late.Timeout() {
		return Silent, err.Error()
	}
	if err != nil {
		return Unreachable, err.Error()
	}
	if to := a.location(); to != nil {
		return Unreachable, fmt.Sprintf("%s redirects to %s: the context path may be another one", a.url, to)
	}
	var said struct{ State State }
	if json.Unmarshal(a.body, &said) != nil {
		return Unreachable, fmt.Sprintf("%s answers HTTP %d, but not as Bitbucket does: the context path may be another one", a.url, a.status)
	}
	switch said.State {
	case Running, FirstRun, Starting, Maintenance, Stopping, StateError:
		return said.State, fmt.Sprintf("HTTP %d", a.status)
	}
	return Unreachable, fmt.Sprintf("%s answers HTTP %d with the unknown state %.40q", a.url, a.status, said.State)
}

// Version asks rest/api/1.0/application-properties (no authentication needed,
// Stash answers as well). An error is a *problem.Error.
func (c *Client) Version(ctx context.Context) (version, displayName string, err error) {
	a, err := c.get(ctx, "/rest/api/1.0/application-properties", "application/json")
	if err != nil {
		return "", "", err
	}
	if a.status == http.StatusNotFound {
		if a, err = c.get(ctx, "/rest/api/latest/application-properties", "application/json"); err != nil {
			return "", "", err
		}
	}
	if to := a.location(); to != nil {
		return "", "", problem.New(fmt.Sprintf("%s redirects to %s", a.url, to),
			"Bitbucket redirects what lies outside its context path", "give the address with Bitbucket's own context path")
	}
	var said struct{ Version, DisplayName string }
	if a.status != http.StatusOK || json.Unmarshal(a.body, &said) != nil || said.Version == "" {
		return "", "", problem.New(fmt.Sprintf("%s answers HTTP %d, but not with Bitbucket's version", a.url, a.status),
			"Bitbucket tells its version to anybody under its own context path", "check the address and the context path")
	}
	return said.Version, said.DisplayName, nil
}
