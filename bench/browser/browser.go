// Package browser loads pages in a real Chromium, driven over its own protocol
// (https://chromedevtools.github.io/devtools-protocol/) by two pipes.
package browser

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// patience is how long anything may take on a busy machine.
const patience = time.Minute

// Browser is a running Chromium.
type Browser struct {
	cmd     *exec.Cmd
	in      *os.File
	mu      sync.Mutex
	next    int
	waiting map[int]chan reply
	ended   chan struct{}
	said    func() string
}

type reply struct {
	Result json.RawMessage
	Error  *struct{ Message string }
}

// Start starts a Chromium with a profile of its own in dir, which believes a
// certificate, and to which names (HOST or HOST:PORT) lead to addresses as rules say
// (--host-resolver-rules). It has all cores: of the machine that a person sits at,
// nobody else wants one.
func Start(dir, rules string, cert *x509.Certificate) (*Browser, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	answers, say, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, read.Close(), write.Close())
	}
	key := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	cmd := exec.Command("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
		"--disable-sync", "--disable-default-apps", "--disable-extensions", "--no-first-run", "--disable-quic", "--disable-features=HttpsUpgrades,OptimizationHints,MediaRouter",
		"--remote-debugging-pipe", "--user-data-dir="+dir, "--host-resolver-rules="+rules, "--ignore-certificate-errors-spki-list="+base64.StdEncoding.EncodeToString(key[:]), "about:blank")
	errs := dir + ".log"
	log, err := os.Create(errs)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = log, log, []*os.File{read, say}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	err = cmd.Start()
	read.Close()
	say.Close()
	if err != nil {
		return nil, errors.Join(err, write.Close(), answers.Close())
	}
	b := &Browser{cmd: cmd, in: write, waiting: map[int]chan reply{}, ended: make(chan struct{}), said: func() string {
		text, _ := os.ReadFile(errs)
		return string(text)
	}}
	go b.receive(answers)
	return b, nil
}

// Close ends it.
func (b *Browser) Close() error {
	err := b.in.Close()
	_ = syscall.Kill(-b.cmd.Process.Pid, syscall.SIGKILL)
	_ = b.cmd.Wait() // killed
	return err
}

func (b *Browser) receive(answers *os.File) {
	defer close(b.ended)
	defer answers.Close()
	in := bufio.NewReaderSize(answers, 1<<20)
	for {
		text, err := in.ReadBytes(0)
		if err != nil {
			return
		}
		var m struct {
			ID int
			reply
		}
		if json.Unmarshal(text[:len(text)-1], &m) != nil || m.ID == 0 {
			continue // an event
		}
		b.mu.Lock()
		to := b.waiting[m.ID]
		delete(b.waiting, m.ID)
		b.mu.Unlock()
		if to != nil {
			to <- m.reply
		}
	}
}

// call carries out a method, of a session where one is named, and reads its result.
func (b *Browser) call(ctx context.Context, session, method string, params map[string]any, result any) error {
	to := make(chan reply, 1)
	b.mu.Lock()
	b.next++
	id := b.next
	b.waiting[id] = to
	b.mu.Unlock()
	message := map[string]any{"id": id, "method": method, "params": params}
	if session != "" {
		message["sessionId"] = session
	}
	text, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if _, err := b.in.Write(append(text, 0)); err != nil {
		return fmt.Errorf("%w\n%s", err, b.said())
	}
	select {
	case r := <-to:
		if r.Error != nil {
			return errors.New(method + ": " + r.Error.Message)
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(r.Result, result)
	case <-b.ended:
		return fmt.Errorf("chromium ended:\n%s", b.said())
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Loads opens a page as somebody who was never there, and then again, with what was
// kept of the first time, and returns how long each took by the page's own
// clock: what an expression, or the promise that it is, says once it is not 0, in
// milliseconds.
func (b *Browser) Loads(ctx context.Context, url, finished string) (cold, warm time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var visitor struct{ BrowserContextID string }
	if err := b.call(ctx, "", "Target.createBrowserContext", nil, &visitor); err != nil {
		return 0, 0, err
	}
	defer func() {
		gone := b.call(context.WithoutCancel(ctx), "", "Target.disposeBrowserContext", map[string]any{"browserContextId": visitor.BrowserContextID}, nil)
		err = errors.Join(err, gone)
	}()
	var target struct{ TargetID string }
	if err := b.call(ctx, "", "Target.createTarget", map[string]any{"url": "about:blank", "browserContextId": visitor.BrowserContextID}, &target); err != nil {
		return 0, 0, err
	}
	var session struct{ SessionID string }
	if err := b.call(ctx, "", "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &session); err != nil {
		return 0, 0, err
	}
	if cold, err = b.load(ctx, session.SessionID, url, finished); err != nil {
		return 0, 0, err
	}
	if err := b.call(ctx, session.SessionID, "Page.navigate", map[string]any{"url": "about:blank"}, nil); err != nil {
		return 0, 0, err
	}
	warm, err = b.load(ctx, session.SessionID, url, finished)
	return cold, warm, err
}

func (b *Browser) load(ctx context.Context, session, url, finished string) (time.Duration, error) {
	var went struct{ ErrorText string }
	if err := b.call(ctx, session, "Page.navigate", map[string]any{"url": url}, &went); err != nil {
		return 0, err
	}
	if went.ErrorText != "" {
		return 0, fmt.Errorf("%s: %s", url, went.ErrorText)
	}
	for {
		var at struct{ Result struct{ Value float64 } }
		if err := b.call(ctx, session, "Runtime.evaluate", map[string]any{"expression": finished, "awaitPromise": true}, &at); err != nil {
			return 0, fmt.Errorf("%s: %w", url, err)
		}
		if at.Result.Value > 0 {
			return time.Duration(at.Result.Value * float64(time.Millisecond)), nil
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("%s did not load: %w", url, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Version is what the browser calls itself.
func (b *Browser) Version(ctx context.Context) (string, error) {
	var v struct{ Product string }
	err := b.call(ctx, "", "Browser.getVersion", nil, &v)
	return v.Product, err
}
