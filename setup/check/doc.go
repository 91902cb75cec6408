// Package check proves a plan on the machine before anything changes: haproxy -c
// over the set as it will be, free ports, files that can be replaced, services in a
// state in which they may be restarted.
package check
