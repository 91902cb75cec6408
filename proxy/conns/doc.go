// Package conns is what connections of clients and of servers have in common: the
// peer's address, the end of one direction, limits of idleness, copying.
package conns
