package accounts

import (
	"crypto/sha256"
	"strconv"
	"strings"

	"github.com/go-crypt/crypt/algorithm/shacrypt"

	"cloudconfig/schema/passhash"
)

const (
	// maxPassword is how many bytes crypt(3) takes.
	maxPassword = 511
	// maxRounds bounds the work of a comparison with a hash that is on the machine already.
	maxRounds = 100_000
)

// hash is the hash of a password, salted for one user, as shadow has it: SHA-512 with the 5,000 rounds that
// crypt(5) takes where none are given. Every libcrypt since 2007 reads that, which cannot be said of yescrypt;
// and that takes 16 MiB for each, as much as a whole run may.
//
// random need not be as long as a salt is: it is mixed with the user's name, so that of two users with one
// password nobody sees that it is one.
func hash(password, user string, random []byte) string {
	const digits = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	sum := sha256.Sum256(append([]byte(user+"\x00"), random...))
	salt := make([]byte, 16)
	for i := range salt {
		salt[i] = digits[sum[i]&63]
	}
	h, err := shacrypt.New(shacrypt.WithSHA512(), shacrypt.WithRounds(shacrypt.IterationsDefaultOmitted))
	if err != nil {
		panic("internal error: " + err.Error())
	}
	digest, err := h.HashWithSalt(password, salt)
	if err != nil {
		panic("internal error: " + err.Error())
	}
	return digest.Encode()
}

// matches says that a hash is that of a password, if it is one of SHA-256 or SHA-512 and not made for a day's
// work. Of others it says no: the password is then hashed anew, which changes nothing for its user.
func matches(hash, password string) bool {
	if !strings.HasPrefix(hash, "$5$") && !strings.HasPrefix(hash, "$6$") || passhash.Check(hash) != nil {
		return false // among them one that is cut short, which the decoder would take
	}
	if rounds, given := strings.CutPrefix(hash[3:], "rounds="); given {
		rounds, _, _ = strings.Cut(rounds, "$")
		if n, err := strconv.Atoi(rounds); err != nil || n > maxRounds {
			return false
		}
	}
	digest, err := shacrypt.Decode(hash)
	return err == nil && digest.Match(password)
}
