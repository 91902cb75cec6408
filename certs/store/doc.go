// Package store keeps, below the state folder, what certificates need beyond one run:
//
//	certificates/account.key         one account key for every authority (see AccountKey)
//	             accounts/ID.json    the account at each authority
//	             keys/ID.pem         keys whose certificate is still to come
//	             names/HOST/N.pem    the last generations of HOST's bundle, N counting up
//	             names/HOST/N.json   the order that an authority issued N for, if one did
//	             names/HOST/bundle.pem   the one in force, where it was imported (see Install)
//	             names/HOST/chain.pem    intermediate certificates that were fetched
//	             names/HOST/state.json
//
// Files are 0600 under 0700 and replaced whole. A folder that others can write to is
// refused, because what lies there is served without another look. undo leaves the
// store alone: a certificate that was issued stays issued.
package store
