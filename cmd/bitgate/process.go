package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"bitgate/cmd/bitgate/view"
	"bitgate/internal/printable"
	"bitgate/internal/problem"
)

// process is everything bitgate takes from the process it runs in.
type process struct {
	Args     []string // without the program's name
	In       io.Reader
	Out, Err io.Writer
	InTTY    bool
	OutTTY   bool
	Env      func(name string) (string, bool)
	Program  string // path of this binary, to start children of itself
	Called   string // how a person starts it, "" for by its name
	NotRoot  bool
	Root     string // "" or, in tests, a prefix before system paths
	Proc     string // the process table, "/proc"

	// ReadPassword asks on the terminal without echo; nil where there is none.
	ReadPassword func(ctx context.Context, prompt string) ([]byte, error)
	// Size of the terminal, 0x0 where there is none.
	Size func() (width, height int)
	// Signals are SIGINT, SIGTERM and SIGHUP; nil for none.
	Signals <-chan os.Signal
	// Abandon ends the process at once with an exit code; nil: it is never done.
	Abandon func(code int)
	// changing is true while a run is under way, which must end whole.
	changing *atomic.Bool
	// Hangups are SIGHUP alone, for a daemon, to which it means "reload"; a proxy is
	// given SIGUSR1 and SIGUSR2, too, which are about its log.
	Hangups <-chan os.Signal

	lines  *bufio.Reader // of In; line prompts share it
	screen bool          // the full screen has In and the terminal
	tty    io.Writer     // Out itself: the full screen needs the terminal's file
	exact  io.Writer     // Out itself: for what is not for people but a file, byte for byte
}

// programName is what every process of bitgate is called, in its argv[0] and in
// /proc/PID/comm, however it was started: pidof, pgrep -x and keepalived's
// track_process look for it.
const programName = "bitgate"

// osProcess is the one place that looks at the real process.
func osProcess() process {
	// Started as /proc/self/exe the kernel calls it "exe" (proc_pid_comm(5)). First,
	// for /proc/self is root's once the process is not dumpable.
	_ = os.WriteFile("/proc/self/comm", []byte(programName), 0)
	// A crash writes no core dump, and no other process of the same user looks into
	// the memory where a password or a key may be. Where it fails bitgate goes on.
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	// Whoever reads our output may go away in the middle of a run: writing then fails,
	// which nobody minds, instead of killing the process (os/signal, "SIGPIPE"). Asking
	// for the signal and not ignoring it leaves children as they are.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	p := process{
		Args: os.Args[1:], In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Env: os.LookupEnv,
		InTTY: term.IsTerminal(int(os.Stdin.Fd())), OutTTY: term.IsTerminal(int(os.Stdout.Fd())),
		Signals: signals, Hangups: hangups, Proc: "/proc", Abandon: os.Exit, changing: &atomic.Bool{},
		Size: func() (int, int) {
			w, h, err := term.GetSize(int(os.Stdout.Fd()))
			if err != nil {
				return 0, 0
			}
			return w, h
		},
	}
	p.Program, _ = os.Executable()
	p.Called, p.NotRoot = calledAs(os.Args[0], p.Program), os.Geteuid() != 0
	if p.InTTY {
		p.ReadPassword = readPasswordTTY
	}
	if p.serves() { // what logrotate's examples send, and what kills who does not expect it
		signal.Notify(hangups, syscall.SIGUSR1, syscall.SIGUSR2)
	}
	return p
}

// readPasswordTTY reads without echo, and gives the terminal its echo back when
// ctx ends the waiting.
func readPasswordTTY(ctx context.Context, prompt string) ([]byte, error) {
	fd := int(os.Stdin.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return nil, err
	}
	fmt.Fprint(os.Stderr, prompt)
	defer fmt.Fprintln(os.Stderr)
	type answer struct {
		password []byte
		err      error
	}
	got := make(chan answer, 1)
	go func() {
		b, err := term.ReadPassword(fd)
		got <- answer{b, err}
	}()
	select {
	case a := <-got:
		return a.password, a.err
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), term.Restore(fd, before))
	}
}

// start makes the streams fit for use by several goroutines and prompts.
func (p *process) start() {
	if p.changing == nil {
		p.changing = &atomic.Bool{}
	}
	p.tty, p.exact = p.Out, p.Out
	p.Out, p.Err = together(p.Out, p.Err, p.serves())
	p.lines = bufio.NewReader(p.In)
}

// commandGC is GOGC of commands, which end soon: large files are read with less work.
// The proxy, which stays, has its own (proxy/process).
const commandGC = 200

// Main runs one command and returns the exit code.
func Main(p process) int {
	p.start()
	if !p.serves() {
		defer debug.SetGCPercent(debug.SetGCPercent(commandGC))
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go cancelOnSignal(p, cancel)
	root := newRoot(&p)
	root.SetArgs(p.Args)
	root.SetIn(p.In)
	root.SetOut(p.Out)
	root.SetErr(p.Err)
	err := root.ExecuteContext(ctx)
	// What a signal cuts short while it only looks has changed nothing, wherever it was.
	if ctx.Err() != nil && errors.Is(err, context.Canceled) && problem.KindOf(err) == problem.Failed {
		err = cancelled()
	}
	if err != nil {
		printError(p, err)
	}
	return exitCode(err)
}

// cancelOnSignal ends what is under way at the first signal. A second one ends a
// process that only looks at once, whatever it waits for; not one that changes
// something: it may be in the middle of taking it back.
func cancelOnSignal(p process, cancel func()) {
	stopping := false
	for s := range p.Signals {
		if s == syscall.SIGHUP && len(p.Args) > 0 && (p.Args[0] == standIn || p.serves() && !p.InTTY) {
			continue // its own business: that is how it is restarted, or reloads
		}
		if stopping && p.Abandon != nil && !p.changing.Load() && !p.serves() {
			p.Abandon(exitCode(cancelled()))
		}
		if stopping {
			fmt.Fprintln(p.Err, "bitgate: already stopping; what was begun is finished or taken back first")
		}
		stopping = true
		cancel()
	}
}

// env returns a variable that is set and not empty.
func (p process) env(name string) string {
	v, _ := p.Env(name)
	return v
}

// serves reports whether this is the built-in proxy or what it starts of itself.
func (p process) serves() bool { return len(p.Args) > 0 && p.Args[0] == "proxy" }

// color reports whether colours may be used (https://no-color.org).
func (p process) color() bool { return p.OutTTY && p.env("NO_COLOR") == "" && p.env("TERM") != "dumb" }

// style is the colours of standard output.
func (p process) style() view.Style { return view.Style{Color: p.color(), Light: p.light()} }

// light reports whether the terminal says that its background is light, as rxvt,
// Konsole and iTerm2 do: COLORFGBG is "0;15", the last number being the background's.
// No terminal is asked, for the answer would come in between what is typed.
func (p process) light() bool {
	all := strings.Split(p.env("COLORFGBG"), ";")
	background, err := strconv.Atoi(all[len(all)-1])
	return err == nil && (background == 7 || background > 8)
}

// text prints for people on standard output, errorText on standard error.
func (p process) text() *view.Text {
	return &view.Text{W: p.Out, Style: p.style(), Width: p.columns(), Spell: p.asCalled}
}

func (p process) errorText() *view.Text {
	return &view.Text{W: p.Err, Width: p.columns(), Spell: p.asCalled}
}

// columns is the width of the terminal, 0 where there is none: what a program or
// a file gets is not broken into lines.
func (p process) columns() int {
	if p.Size == nil || !p.OutTTY {
		return 0
	}
	w, _ := p.Size()
	return w
}

// terminal reports whether a person sits there.
func (p process) terminal() bool { return p.InTTY && p.OutTTY }

// readLine reads a line or ends with ctx.
func (p process) readLine(ctx context.Context) (string, error) {
	type answer struct {
		text string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		text, err := p.lines.ReadString('\n')
		if text != "" {
			err = nil
		}
		got <- answer{text, err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case a := <-got:
		return a.text, a.err
	}
}

// together makes writers that may be used from several goroutines: a child's
// messages come while the parent prints. Text of others cannot command the
// terminal through them; a server's log is written out already.
func together(out, err io.Writer, log bool) (io.Writer, io.Writer) {
	var mu sync.Mutex
	if !log {
		out, err = &printable.Writer{W: out}, &printable.Writer{W: err}
	}
	return &lockedWriter{&mu, out}, &lockedWriter{&mu, err}
}

type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}
