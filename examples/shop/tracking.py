"""The errors of a commerce tracking service, in French: one function for each thing that goes wrong.

Each returns the error, so that the line that raises it shows in tracebacks. Nothing here knows a
status or a body; both follow from the code.
"""

from collections.abc import Callable, Mapping, Sequence

from holdfast import (
    AppError,
    AuthenticationError,
    AuthorizationError,
    BusinessLogicError,
    ClientClosedError,
    CommunicationError,
    DatabaseError,
    ErrorCode,
    InternalServerError,
    RateLimitError,
    ResourceNotFoundError,
    ServiceUnavailableError,
    StateConflictError,
    ValidationError,
    WorkflowError,
)

RETRY_LATER = "Veuillez réessayer dans quelques minutes"


def described(message: str, *sentences: str) -> ValidationError:
    """Say what is wrong in one's own words."""
    return ValidationError(message, errors=sentences)


def bad_request(*sentences: str) -> ValidationError:
    """The request cannot be understood."""
    return ValidationError(
        ErrorCode.INVALID_REQUEST_DATA, "Données de requête invalides", errors=sentences
    )


def not_signed_in() -> AuthenticationError:
    """No token, or a false one."""
    return AuthenticationError(
        "Authentification requise",
        errors=[
            "Token JWT manquant ou invalide",
            "Veuillez vous connecter pour accéder à cette ressource",
        ],
        headers={"WWW-Authenticate": "Bearer"},
    )


def token_expired() -> AuthenticationError:
    """The token was good once."""
    return AuthenticationError(
        ErrorCode.TOKEN_EXPIRED,
        "Token expiré",
        errors=[
            "Le token JWT a expiré",
            "Veuillez vous reconnecter ou utiliser le refresh token",
        ],
        headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
    )


def may_not_validate(role: str) -> AuthorizationError:
    """Only some roles validate collections."""
    return AuthorizationError(
        "Permissions insuffisantes",
        errors=[
            f"Votre rôle ({role}) ne vous permet pas de valider des collections",
            "Seuls les Chefs d'Équipe et Superviseurs peuvent effectuer cette action",
        ],
    )


def collection_not_found(collection_id: int) -> ResourceNotFoundError:
    """No collection has this id."""
    return ResourceNotFoundError(
        "Ressource non trouvée",
        errors=[
            f"Collection avec l'ID {collection_id} non trouvée",
            "Vérifiez que l'ID est correct et que la ressource existe",
        ],
    )


def already_validated() -> StateConflictError:
    """What is validated stays as it is."""
    return StateConflictError(
        "Conflit d'état",
        errors=[
            "Impossible de modifier une collection déjà validée",
            "La collection doit être en état 'draft' pour être modifiée",
        ],
    )


def implausible() -> BusinessLogicError:
    """The data are well formed and cannot be true."""
    return BusinessLogicError(
        "Impossible de traiter les données",
        errors=[
            "La date de collection ne peut pas être dans le futur",
            "La quantité déclarée dépasse la capacité du transport choisi",
        ],
    )


def too_many_requests(limit: int, wait: int) -> RateLimitError:
    """The caller has to wait some seconds."""
    return RateLimitError(
        "Trop de requêtes",
        errors=[
            f"Limite de {limit} requêtes par minute dépassée",
            f"Veuillez attendre {wait} secondes avant de refaire une requête",
        ],
        retry_after=wait,
    )


def internal() -> InternalServerError:
    """Something broke; callers get the general sentences in their language."""
    return InternalServerError("The ledger of collections is inconsistent")


def validation_unavailable() -> ServiceUnavailableError:
    """The service that validates is away."""
    return ServiceUnavailableError(
        "The validation service is being deployed",
        errors=["Le service de validation est temporairement indisponible", RETRY_LATER],
    )


def invalid_fields(field_errors: Mapping[str, Sequence[str]]) -> ValidationError:
    """Fields are wrong, each in its own way."""
    return ValidationError("Erreur de validation des données", field_errors=field_errors)


def forbidden_transition(current: str, requested: str, allowed: Sequence[str]) -> WorkflowError:
    """A collection cannot go from one state to the other."""
    return WorkflowError(
        "Transition d'état non autorisée",
        errors=[
            f"Impossible de valider une collection en état '{current}'",
            f"Les transitions autorisées depuis '{current}' sont: {list(allowed)}",
            f"État actuel: '{current}', État demandé: '{requested}'",
        ],
        details={
            "current_state": current,
            "requested_state": requested,
            "allowed_transitions": list(allowed),
        },
    )


def no_answer(service: str, timeout: int, attempts: int) -> CommunicationError:
    """A service behind NATS keeps silent; the timeout is in milliseconds."""
    return CommunicationError(
        ErrorCode.NATS_SERVICE_UNAVAILABLE,
        f"No answer from {service} after {attempts} attempts",
        errors=[
            f"Impossible de communiquer avec le service {service.partition(' ')[0]}",
            "Le service ne répond pas dans les temps impartis",
        ],
        details={"service": service, "timeout": timeout, "attempts": attempts},
    )


def unknown_collector(collector_id: int) -> DatabaseError:
    """The row refers to a collector that does not exist."""
    return DatabaseError(
        ErrorCode.FOREIGN_KEY_CONSTRAINT,
        "Erreur de base de données",
        errors=[
            "Contrainte de clé étrangère violée",
            f"Le collecteur avec l'ID {collector_id} n'existe pas",
        ],
        details={
            "constraint": "fk_collections_collector_id",
            "table": "collections",
            "column": "collector_id",
        },
    )


EXAMPLES: dict[str, Callable[[], AppError]] = {
    "structure": lambda: described(
        "Description générale de l'erreur", "Détail de l'erreur 1", "Détail de l'erreur 2"
    ),
    "bad-request": lambda: bad_request(
        "Le champ 'collection_date' est requis",
        "Le format de date doit être ISO 8601 (YYYY-MM-DDTHH:mm:ssZ)",
        "La quantité doit être un nombre positif",
    ),
    "unauthorized": not_signed_in,
    "token-expired": token_expired,
    "forbidden": lambda: may_not_validate("Agent"),
    "not-found": lambda: collection_not_found(999),
    "conflict": already_validated,
    "unprocessable": implausible,
    "too-many-requests": lambda: too_many_requests(limit=100, wait=45),
    "internal": internal,
    "unavailable": validation_unavailable,
    "validation": lambda: invalid_fields(
        {
            "collection_date": ["La date est requise"],
            "collector_id": ["L'ID du collecteur doit être un nombre"],
            "trade_data.products[0].quantity": ["La quantité doit être supérieure à 0"],
            "trade_data.trader_info.email": ["Le format email est invalide"],
        }
    ),
    "workflow": lambda: forbidden_transition("approved", "validated", []),
    "communication": lambda: no_answer("TradeFlow Service", timeout=5000, attempts=3),
    "database": lambda: unknown_collector(999),
    "client-closed": lambda: ClientClosedError("The caller left before the answer"),
}
"""An example of each, by the name under which the shops raise it."""

RAISED = sorted({make().code for make in EXAMPLES.values()})
"""The codes of the examples."""


def raise_example(name: str) -> None:
    """Raise one of the examples."""
    make = EXAMPLES.get(name)
    if make is None:
        raise ResourceNotFoundError(f"There is no example {name}", details={"name": name})
    raise make()
