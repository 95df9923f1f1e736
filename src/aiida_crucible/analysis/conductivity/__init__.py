"""The heat that phonons carry: third-order force constants, the transport equation by phono3py, what can be said."""
