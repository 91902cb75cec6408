package stage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"bitgate/haproxy/rehearsal"
	"bitgate/internal/child"
	"bitgate/internal/problem"
)

// Stage is a running one.
type Stage struct {
	Memory int64 // of HAProxy, at most, in bytes

	process  *child.Process
	in, out  *os.File
	messages *json.Encoder
	replies  *json.Decoder
	stderr   output
}

// errNotRoot is said before anything is prepared.
var errNotRoot = errors.New("it takes root, for namespaces in which HAProxy reaches nothing of this machine")

// Open starts a stage as a child of this process. program is this binary, whose
// Command is the stage.
func Open(ctx context.Context, program string, s Setup) (*Stage, error) {
	st, err := open(ctx, program, s, true)
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EINVAL) {
		st, err = open(ctx, program, s, false) // user namespaces are switched off (user.max_user_namespaces)
	}
	if err != nil {
		return nil, problem.Wrap(err, "no namespaces can be had to rehearse in", "", "")
	}
	return st, nil
}

func open(ctx context.Context, program string, s Setup, user bool) (*Stage, error) {
	apart := &child.Namespaces{Flags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS}
	if user {
		if err := sameUsers(apart); err != nil {
			return nil, err
		}
	}
	theirIn, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirIn.Close()
	out, theirOut, err := os.Pipe()
	if err != nil {
		in.Close()
		return nil, err
	}
	defer theirOut.Close()
	st := &Stage{in: in, out: out, messages: json.NewEncoder(in), replies: json.NewDecoder(out)}
	st.process, err = child.Command{
		Name: program, Arg0: "bitgate", Args: []string{Command}, Env: []string{"GOMAXPROCS=2", "GOGC=400"}, Bare: true,
		Stdin: theirIn, Stdout: theirOut, Stderr: &st.stderr, Namespaces: apart,
	}.Start(ctx)
	if err != nil {
		in.Close()
		out.Close()
		return nil, err
	}
	if err = st.messages.Encode(s); err == nil {
		_, err = st.reply()
	}
	if err != nil {
		st.Close()
		return nil, err
	}
	return st, nil
}

// sameUsers makes a user namespace part of the stage in which every user is who
// he is outside.
func sameUsers(a *child.Namespaces) error {
	uids, err := sameIDs("/proc/self/uid_map")
	if err != nil {
		return err
	}
	if a.GIDs, err = sameIDs("/proc/self/gid_map"); err != nil {
		return err
	}
	a.UIDs, a.Flags = uids, a.Flags|syscall.CLONE_NEWUSER
	return nil
}

// sameIDs maps every id that this process knows to itself (user_namespaces(7)).
func sameIDs(file string) ([]syscall.SysProcIDMap, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var out []syscall.SysProcIDMap
	for line := range strings.Lines(string(text)) {
		var inside, outside, size int
		if _, err := fmt.Sscan(line, &inside, &outside, &size); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		out = append(out, syscall.SysProcIDMap{ContainerID: inside, HostID: inside, Size: size})
	}
	return out, nil
}

// call sends a message and waits for what comes back.
func (st *Stage) call(m message) (reply, error) {
	if err := st.messages.Encode(m); err != nil {
		return reply{}, st.died(err)
	}
	return st.reply()
}

func (st *Stage) reply() (reply, error) {
	var r reply
	if err := st.replies.Decode(&r); err != nil {
		return r, st.died(err)
	}
	if r.Error != "" {
		return r, errors.New(r.Error)
	}
	st.Memory = max(st.Memory, r.Memory)
	return r, nil
}

// died says why the stage does not answer.
func (st *Stage) died(err error) error {
	if said := strings.TrimSpace(st.stderr.String()); said != "" {
		return fmt.Errorf("the stage ended: %s", said)
	}
	return fmt.Errorf("the stage ended: %w", err)
}

// Load starts HAProxy with other files.
func (st *Stage) Load(l Load) (Loaded, error) {
	r, err := st.call(message{Load: &l})
	if err != nil || r.Loaded == nil {
		return Loaded{}, err
	}
	return *r.Loaded, nil
}

// Ask puts requests to the HAProxy that runs; each may take limit.
func (st *Stage) Ask(requests []rehearsal.Request, limit time.Duration) ([]rehearsal.Answer, error) {
	r, err := st.call(message{Ask: requests, Limit: limit})
	if err == nil && len(r.Answers) != len(requests) {
		err = fmt.Errorf("%d answers to %d requests", len(r.Answers), len(requests))
	}
	return r.Answers, err
}

// End ends the front, whose Memory is known then.
func (st *Stage) End() error {
	_, err := st.call(message{End: true})
	return err
}

// Close ends the stage and all that runs on it.
func (st *Stage) Close() {
	st.in.Close()
	_ = st.process.Signal(syscall.SIGKILL) // it may have ended by itself
	_ = st.process.Wait()                  // it was killed
	st.out.Close()
}
