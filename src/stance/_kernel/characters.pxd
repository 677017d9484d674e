"""What several twins ask of a character, as `re` sees it."""


cdef inline bint is_word(Py_UCS4 c) noexcept:
    r"""What `re` calls \w."""
    return c.isalnum() or c == u"_"


cdef inline bint is_digit(Py_UCS4 c) noexcept:
    return u"0" <= c <= u"9"


cdef inline bint is_capital(Py_UCS4 c) noexcept:
    return u"A" <= c <= u"Z"


cdef inline bint is_dot(Py_UCS4 c) noexcept:
    """Whether the character is one of `DOTS`."""
    return c in u"•‣◦▪▫■□●○⁃⁌⁍◆◇★☆➤➢➣▶▸►"


cdef inline bint is_letter(Py_UCS4 c) noexcept:
    return is_capital(c) or u"a" <= c <= u"z"
