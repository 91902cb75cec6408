package proxy

import (
	"net/http"
	"time"

	"bitgate/proxy/h1"
	"bitgate/proxy/h2"
)

// ask tells a client that waits for it to send its body.
func (x *h2stream) ask() error {
	if !x.stream.Expect || x.asked {
		return nil
	}
	return x.interim(http.StatusContinue, nil, nil)
}

func (x *h2stream) interim(status int, _ []byte, fields []h1.Field) error {
	x.asked = x.asked || status == http.StatusContinue
	x.stream.Interim(status, fields)
	return x.flush()
}

func (x *h2stream) begin(a h1.Head) error {
	x.empty = a.Empty || string(x.stream.Method) == http.MethodHead
	x.stream.Respond(a.Status, a.Fields, a.Length)
	return x.err()
}

func (x *h2stream) write(data []byte) error {
	if x.empty || x.gone {
		return x.err()
	}
	x.stream.Write(data)
	for !x.gone && x.stream.Full() {
		x.session.touch()
		x.wake.Wait(time.Time{}) // the core ends a stream whose client takes nothing
	}
	return x.err()
}

func (x *h2stream) flush() error {
	x.session.touch()
	return x.err()
}

func (x *h2stream) finish() error {
	x.stream.End()
	return x.flush()
}

func (x *h2stream) abort() {
	x.stream.Reset(h2.InternalError)
	x.session.touch()
}
