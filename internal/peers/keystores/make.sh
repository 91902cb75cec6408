# Makes a certificate with everything it may come in. $1 is Bouncy Castle's jar.
exec 2>&1
host=git.example.com
key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }

key root.key
openssl req -x509 -new -key root.key -out root.pem -days 3650 -subj "/CN=Corp Root" -addext keyUsage=critical,keyCertSign
key int.key
openssl req -new -key int.key -out int.csr -subj "/CN=Corp Issuing CA"
printf 'basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\n' >ca.ext
openssl x509 -req -in int.csr -CA root.pem -CAkey root.key -set_serial 2 -days 1825 -extfile ca.ext -out int.pem
leaf() { # name host serial
	openssl req -new -key "$1.key" -out "$1.csr" -subj "/CN=$2"
	printf 'subjectAltName=DNS:%s\nextendedKeyUsage=serverAuth\nkeyUsage=critical,digitalSignature\nauthorityInfoAccess=caIssuers;URI:http://pki.example.com/int.cer\n' "$2" >leaf.ext
	openssl x509 -req -in "$1.csr" -CA int.pem -CAkey int.key -set_serial "$3" -days "${4:-200}" -extfile leaf.ext -out "$1.pem"
}
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out leaf.key
leaf leaf "$host" 10
key ec.key
leaf ec "$host" 11
key other.key
leaf other other.example.com 12
key old.key
leaf old "$host" 13 100
openssl genpkey -algorithm ed25519 -out ed.key
leaf ed "$host" 14
cat leaf.pem int.pem >full.pem

# PEM as editors and Windows leave it
iconv -f ascii -t utf-16 full.pem >utf16.pem
iconv -f ascii -t utf-16be leaf.key >utf16be.key
# DER
openssl x509 -in leaf.pem -outform DER -out leaf.cer
openssl x509 -in int.pem -outform DER -out int.cer
openssl pkcs8 -topk8 -nocrypt -in leaf.key -outform DER -out leaf.p8.der
openssl pkey -in leaf.key -traditional -outform DER -out leaf.pkcs1.der
openssl pkey -in ec.key -traditional -outform DER -out ec.sec1.der
# chains
openssl crl2pkcs7 -nocrl -certfile full.pem -out chain.p7b.pem
openssl crl2pkcs7 -nocrl -certfile full.pem -outform DER -out chain.p7b
openssl crl2pkcs7 -nocrl -certfile int.pem -outform DER -out int.p7b
sed 's/PKCS7/CERTIFICATE/' chain.p7b.pem >adcs.p7b.pem # what Windows calls base64
# keys under a password
enc() { out=$1; shift; openssl pkcs8 -topk8 "$@" -passout pass:secret -out "$out"; }
enc p8.aes.key -in leaf.key -v2 aes-256-cbc
enc p8.aes128.key -in leaf.key -v2 aes-128-cbc -v2prf hmacWithSHA1
for h in SHA224 SHA384 SHA512; do enc p8.$h.key -in leaf.key -v2 aes-256-cbc -v2prf hmacWith$h; done
enc p8.scrypt.key -in leaf.key -scrypt
enc p8.des3.key -in leaf.key -v2 des3
enc p8.v1.key -in leaf.key -v1 PBE-SHA1-3DES
enc p8.v1.rc2.key -in leaf.key -v1 PBE-SHA1-RC2-128 -provider legacy -provider default
enc p8.v1.2des.key -in leaf.key -v1 PBE-SHA1-2DES
enc p8.v1.md5.key -in leaf.key -v1 PBE-MD5-DES -provider legacy -provider default
enc p8.v1.sha1.key -in leaf.key -v1 PBE-SHA1-DES -provider legacy -provider default
enc p8.aes.der -in leaf.key -v2 aes-256-cbc -outform DER
enc p8.ed.key -in ed.key -v2 aes-256-cbc
for c in aes256 aes128 des3; do openssl rsa -traditional -$c -in leaf.key -passout pass:secret -out dek.$c.key; done
openssl ec -aes256 -in ec.key -passout pass:secret -out dek.ec.key
# PKCS#12
p12() { out=$1; pass=$2; shift 2; openssl pkcs12 -export -passout "pass:$pass" -out "$out" "$@"; }
p12 modern.pfx secret -inkey leaf.key -in leaf.pem -certfile int.pem -name git
p12 rc2.pfx secret -legacy -inkey leaf.key -in leaf.pem -certfile int.pem -name git
p12 rc2-128.pfx secret -legacy -certpbe PBE-SHA1-RC2-128 -inkey leaf.key -in leaf.pem -certfile int.pem
p12 3des.pfx secret -legacy -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1 -inkey leaf.key -in leaf.pem -certfile int.pem
p12 sha512.pfx secret -macalg sha512 -iter 20000 -inkey leaf.key -in leaf.pem -certfile int.pem
p12 empty.pfx "" -inkey leaf.key -in leaf.pem -certfile int.pem
p12 nomac.pfx "" -nomac -keypbe NONE -certpbe NONE -inkey leaf.key -in leaf.pem -certfile int.pem
p12 nomac-enc.pfx secret -nomac -inkey leaf.key -in leaf.pem -certfile int.pem
p12 umlaut.pfx "pässwörd" -inkey leaf.key -in leaf.pem -certfile int.pem
p12 umlaut-rc2.pfx "pässwörd" -legacy -inkey leaf.key -in leaf.pem -certfile int.pem
p12 ec.pfx secret -inkey ec.key -in ec.pem -certfile int.pem
p12 certs.pfx secret -nokeys -in full.pem
cat full.pem root.pem >fullroot.pem
p12 root.pfx secret -inkey leaf.key -in leaf.pem -certfile fullroot.pem
p12 alone.pfx secret -inkey leaf.key -in leaf.pem -name git
for n in other old; do p12 $n.pfx secret -inkey $n.key -in $n.pem -certfile int.pem -name $n; done
# Java
keytool -noprompt -importkeystore -srckeystore modern.pfx -srcstorepass secret -destkeystore store.jks -deststoretype JKS -deststorepass secret
java -XX:TieredStopAtLevel=1 -cp "$1" Stores.java
