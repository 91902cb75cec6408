// Package renew keeps the certificate of a front that stands as new as its source.
//
//	settle a certificate-only run that was cut off
//	take what the last run that set up a front says of its certificate (Deployment)
//	ordered by bitgate?  decide (certs/renewal); ask the authority when; order; store
//	read the sources; judge them; look what the front shows on each address
//	equal?               nothing to do, and nothing is written
//	else                 a certificate-only run: write the bundle, hand it over, prove it
//	remember failures, for the pause before the next attempt
//
// It works by night and without a person: from what was consented to, not from all
// answers; it touches nothing but the certificate, restarts nothing, and leaves the
// certificate of before in force whatever fails.
package renew
