package rules

import (
	"strconv"
	"strings"
	"time"

	"bitgate/proxy/record"
)

// What is answered when something goes wrong. HAProxy's numbers: a client's
// fault is 4xx, a server that breaks off 502, none to be had 503, a silent one
// 504.

// Refuse is the proxy's own no.
func Refuse(status int, text string) *Answer {
	return &Answer{Status: status, Cause: record.Refused, Text: text}
}

// Malformed is the answer to a request that broke the protocol; reason is a
// phrase without capital and period.
func Malformed(status int, reason string) *Answer {
	a := Refuse(status, strings.ToUpper(reason[:1])+reason[1:]+".")
	if status == 408 {
		a.Cause = record.ClientTimeout
	}
	return a
}

// TooMany is the answer to a client beyond its rate, which may ask again after
// wait.
func TooMany(r *Request, wait time.Duration) *Answer {
	a := Refuse(429, "Too many requests came from "+r.Client.String()+".")
	a.Retry = seconds(wait)
	return a
}

// QueueTimeout is the answer to a request whose turn did not come within limit.
func QueueTimeout(limit time.Duration) *Answer {
	return unavailable(record.ServerTimeout, "Bitbucket is busy: the request waited for its turn for "+limit.String()+".")
}

// QueueFull is the answer to a request for which there is no place in the queue.
func QueueFull() *Answer { return unavailable(record.Resource, "Too many requests are waiting.") }

// NoServer is the answer while no server is up or reachable; timedOut is one
// that did not even refuse the connection.
func NoServer(timedOut bool) *Answer {
	cause := record.Server
	if timedOut {
		cause = record.ServerTimeout
	}
	return unavailable(cause, "Bitbucket does not answer at the moment: it is starting, stopping or being maintained.")
}

// Shortage is the answer while this machine lacks what a connection to a server
// takes.
func Shortage() *Answer {
	return unavailable(record.Resource, "This server has no connections left at the moment.")
}

func unavailable(cause record.Cause, text string) *Answer {
	return &Answer{Status: 503, Cause: cause, Text: text, Retry: retryAfter}
}

// ServerFailed is the answer when the server broke off, or said nothing for too
// long, before its answer's head was there.
func ServerFailed(timedOut bool) *Answer {
	if timedOut {
		return &Answer{Status: 504, Cause: record.ServerTimeout, Text: "Bitbucket did not answer in time.", Retry: retryAfter}
	}
	return &Answer{Status: 502, Cause: record.Server, Text: "Bitbucket broke off or gave an answer that is not valid.", Retry: retryAfter}
}

// InvalidAnswer is the answer when the server's own cannot be passed on; reason is a
// phrase, for the log.
func InvalidAnswer(reason string) *Answer {
	a := ServerFailed(false)
	a.Cause, a.Why = record.Refused, reason
	return a
}

// BodyLate is the answer when the rest of a request's body does not come.
func BodyLate() *Answer {
	return &Answer{Status: 408, Cause: record.ClientTimeout, Text: "The rest of the request did not arrive."}
}

// BodyBroken is the answer when a request's body ends or goes on other than
// announced; reason "" is an end.
func BodyBroken(status int, reason string) *Answer {
	a := Refuse(400, "The request broke off or is malformed.")
	if reason != "" {
		a = Malformed(status, reason)
	}
	a.Cause = record.Client
	return a
}

// seconds rounds up: who comes back a moment too early is refused again.
func seconds(d time.Duration) string {
	return strconv.FormatInt(max(int64((d+time.Second-1)/time.Second), 1), 10)
}
