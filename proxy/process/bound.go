package process

import (
	"slices"

	"bitgate/internal/problem"
	"bitgate/proxy/config"
)

// bound are the sockets that a process finds when it starts.
type bound struct {
	named   inherited // by the configuration; and all of a .socket unit
	stored  inherited // of systemd's store, which the configuration names no more
	serving inherited // those that the process before listens on, and the configuration names no more
}

// stale are those that nobody wants any longer.
func (b bound) stale() inherited { return slices.Concat(b.stored, b.serving) }

func (b bound) close() { slices.Concat(b.named, b.stale()).close() }

// findSockets takes over those that the service manager passes, and those of the process
// that serves now, which is nil where there is none.
func findSockets(c config.Config, s Surroundings) (bound, *predecessor, error) {
	b, err := passedSockets(c, s)
	if err != nil {
		return bound{}, nil, err
	}
	before, err := takeOver(c)
	if err == nil && before == nil && s.ReplaceFD > 0 {
		err = problem.New("the running proxy does not hand over its sockets at "+c.Handover,
			"it was started with a configuration that did not say so (handover)", "restart it this once: systemctl restart bitgate-proxy")
	}
	if err != nil {
		b.close()
		return bound{}, nil, err
	}
	if before != nil {
		b.named, b.serving = append(b.named, before.sockets...), before.stale
	}
	return b, before, nil
}

// passedSockets are those that the service manager passes, from a .socket unit or from
// its store.
func passedSockets(c config.Config, s Surroundings) (b bound, err error) {
	if s.Sockets == nil {
		return bound{}, nil
	}
	kept, others := stored(s.Sockets())
	if b.named, err = inherit(kept); err != nil {
		for _, file := range others {
			file.Close()
		}
		return bound{}, err
	}
	b.stored = b.named.forget(c)
	more, err := inherit(others)
	if err != nil {
		b.close()
		return bound{}, err
	}
	b.named = append(b.named, more...)
	return b, nil
}
