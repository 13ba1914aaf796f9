package config

import (
	"reflect"

	"cloudconfig/schema/source"
)

// Equal says that two configurations ask for the same, wherever it is written.
func Equal(a, b *Config) bool { return equal(reflect.ValueOf(a), reflect.ValueOf(b)) }

var (
	rangeType = reflect.TypeFor[source.Range]()
	linesType = reflect.TypeFor[source.Lines]()
)

// equal is reflect.DeepEqual without places, and with nothing and an empty list being the same.
func equal(a, b reflect.Value) bool {
	if a.Type() == rangeType || a.Type() == linesType {
		return true
	}
	switch a.Kind() {
	case reflect.Pointer:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() == b.IsNil()
		}
		return equal(a.Elem(), b.Elem())
	case reflect.Struct:
		for i := range a.NumField() {
			if !equal(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	case reflect.Slice:
		if a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !equal(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Map:
		for _, key := range a.MapKeys() {
			if other := b.MapIndex(key); !other.IsValid() || !equal(a.MapIndex(key), other) {
				return false
			}
		}
		return a.Len() == b.Len()
	}
	return a.Equal(b)
}
