package process

import (
	"context"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"bitgate/internal/child"
	"bitgate/internal/problem"
	"bitgate/proxy/config"
)

// ReplaceVariable carries the descriptor on which a process that takes the place of
// another one speaks with Replace.
const ReplaceVariable = "BITGATE_REPLACE"

// Replace starts another proxy in the place of the one that runs, and waits until it
// serves. It is for a control process of the service manager (systemd.service(5),
// ExecReload=), whose child the new proxy becomes. They say "go" three times: the new
// one has the sockets and its keys; notify has told the manager that it is the main
// process; the old one stops.
func Replace(ctx context.Context, c config.Config, start child.Command, notify func(state string) error) error {
	if c.Handover == "" {
		return problem.New("the configuration has no handover", "without it no process gets the sockets of the one that runs",
			"set it (handover: /run/bitgate/handover.sock) and restart the proxy this once").WithKind(problem.Usage)
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("socketpair: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "replace"), os.NewFile(uintptr(pair[1]), "replace")
	defer ours.Close()
	start.Files, start.Sibling = []*os.File{theirs}, true
	start.Env = append(start.Env, ReplaceVariable+"=3") // the first of Files
	started, err := start.Start(context.WithoutCancel(ctx))
	theirs.Close()
	if err != nil {
		return problem.Wrap(err, "the new proxy cannot be started", "the one that runs serves on", "")
	}
	defer context.AfterFunc(ctx, func() { ours.Close() })()
	err = awaitGo(ours)
	if err == nil {
		err = notify(fmt.Sprintf("MAINPID=%d\n%s", started.PID, readyState(c)))
	}
	if err == nil {
		_, err = io.WriteString(ours, handoverGo)
	}
	if err == nil {
		err = awaitGo(ours)
	}
	if err != nil {
		return problem.Wrap(err, "the new proxy does not serve", "the one that ran before serves on, with the settings that it had",
			"see why in its log: journalctl -u bitgate-proxy -n 20")
	}
	return nil
}

func readyState(c config.Config) string { return "READY=1\nSTATUS=" + c.URL.BaseURL() }

func awaitGo(from *os.File) error {
	_, err := io.ReadFull(from, make([]byte, len(handoverGo)))
	return err
}

// mainProcess is a process that Replace started, once it is the main one; nil for any
// other.
type mainProcess struct{ replace *os.File }

// becomeMain waits until the service manager has been told that this is the main
// process. The one before serves meanwhile.
func becomeMain(fd int) (*mainProcess, error) {
	if fd <= 0 {
		return nil, nil
	}
	m := &mainProcess{os.NewFile(uintptr(fd), "replace")}
	_, err := io.WriteString(m.replace, handoverGo)
	if err == nil {
		err = awaitGo(m.replace)
	}
	if err != nil {
		m.replace.Close()
		return nil, problem.Wrap(err, "the reload that started this proxy has gone", "the one that ran before serves on", "")
	}
	return m, nil
}

// serves tells Replace that the process before stops.
func (m *mainProcess) serves() {
	if m == nil {
		return
	}
	_, _ = io.WriteString(m.replace, handoverGo) // who waited may have gone
	m.replace.Close()
}
