//go:build !linux

package proxy

import "bitgate/internal/problem"

func newLoops(*Proxy) (engine, error) {
	return nil, problem.New("the event loop engine needs Linux", "it is made of epoll(7)", "leave engine out, or set it to goroutine")
}
