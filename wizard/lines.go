package wizard

import (
	"bufio"
	"context"
	"io"
	"strings"
)

// lineReader is the one reader of a line session. It reads only when asked,
// so that a password prompt can have the terminal in between, and gives up
// when ctx ends although the read itself cannot be interrupted.
type lineReader struct {
	ctx  context.Context
	in   *bufio.Reader
	busy chan lineRead // of a read that was given up
}

type lineRead struct {
	text string
	err  error
}

func newLineReader(ctx context.Context, in io.Reader) *lineReader {
	return &lineReader{ctx: ctx, in: bufio.NewReader(in)}
}

// next reads a line without its end. A last line without an end counts.
func (l *lineReader) next() (string, error) {
	if l.ctx.Err() != nil {
		return "", errCancelled
	}
	done := l.busy
	if done == nil {
		done = make(chan lineRead, 1)
		l.busy = done
		go func() {
			text, err := l.in.ReadString('\n')
			done <- lineRead{text, err}
		}()
	}
	select {
	case <-l.ctx.Done():
		return "", errCancelled
	case r := <-done:
		l.busy = nil
		if r.err != nil && r.text == "" {
			return "", errCancelled
		}
		return strings.TrimRight(r.text, "\r\n"), nil
	}
}
