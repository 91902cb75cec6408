// Package inflight knows what is under way, so that a stop can wait for it and say
// what it waits for.
package inflight
